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


def unit_rows(x: np.ndarray) -> np.ndarray:
    """Divide rows (n, d) by their Euclidean length."""
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Compute ‖x_i − y_j‖² (n, m) in float64 as ‖x‖² + ‖y‖² − 2 x·y; equal rows give 0 up to rounding."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    distances = x @ y.T
    distances *= -2
    distances += (x * x).sum(1)[:, None]
    distances += (y * y).sum(1)
    return distances.clip(0, out=distances)
