"""Helpers for rows of arrays: blocks, unit length, distances."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BLOCK = 2048  # two blocks' kernel or distances: 34 MB in float64


def spans(count: int) -> list[slice]:
    """Cut `count` rows into consecutive parts of at most `BLOCK`."""
    return [slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]


def blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the rows in such parts, without a copy."""
    return (rows[span] for span in spans(len(rows)))


def check_rows(metric: str, least: int = 1, **sets: np.ndarray) -> None:
    """Raise `ValueError`, which names the metric, unless each set of rows (n, d) has `least` or more, finite and of one width."""
    for name, rows in sets.items():
        if len(rows) < least:
            raise ValueError(f"{metric} needs at least {least} image{'s' * (least > 1)}, not {len(rows)} ({name}): sample more")
        check_finite(metric, name, rows)
    widths = {name: rows.shape[1:] for name, rows in sets.items()}
    if len(set(widths.values())) > 1:
        raise ValueError(f"{metric}: rows of several widths, which one network does not give: {widths}")


def check_pairs(metric: str, images: np.ndarray, twins: np.ndarray) -> None:
    """Raise `ValueError`, which names the metric, unless each image has a twin of its shape (N, ...), N > 0, both finite."""
    if images.shape != twins.shape:
        raise ValueError(f"{metric}: images {images.shape} and twins {twins.shape}: each image needs a twin of its own shape")
    if not len(images):
        raise ValueError(f"{metric} needs at least 1 image, not 0")
    check_finite(metric, "images", images)
    check_finite(metric, "twins", twins)


def check_pixels(metric: str, images: np.ndarray, twins: np.ndarray) -> None:
    """Raise `ValueError` as `check_pairs` does, and unless both are of bytes: another range would give another value."""
    check_pairs(metric, images, twins)
    for pixels in (images, twins):
        if pixels.dtype != np.uint8:
            raise ValueError(f"{metric}: pixels must be uint8 (0 to 255), not {pixels.dtype}")


def check_finite(metric: str, name: str, rows: np.ndarray) -> None:
    finite = np.isfinite(rows).reshape(len(rows), -1).all(1)
    if not finite.all():
        first = int(np.argmin(finite))
        raise ValueError(f"{metric}: NaN or infinite {name} in {(~finite).sum()} of {len(rows)} rows, the first is row {first}")


def unit_rows(x: np.ndarray) -> np.ndarray:
    """Divide rows (n, d) by their Euclidean length. Raises `ValueError` for a row of length 0, which has no direction."""
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    if not lengths.all():
        raise ValueError(
            f"row {int(np.argmin(lengths))} of {len(x)} has length 0, and so no direction: its network gave only zeros"
        )
    return x / lengths


def squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Compute ‖x_i − y_j‖² (n, m) in float64 as ‖x‖² + ‖y‖² − 2 x·y; equal rows give 0 up to rounding."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    distances = x @ y.T
    distances *= -2
    distances += (x * x).sum(1)[:, None]
    distances += (y * y).sum(1)
    return distances.clip(0, out=distances)
