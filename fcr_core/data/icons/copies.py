"""Find pictures that another style or concept already has: the same art must not stand on both sides of a split."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from fcr_core.data.icons.selection import Picture
from fcr_core.data.icons.sets import draw

# Side in pixels at which pictures are compared, and of the squares in which they must agree.
SIDE, SQUARE = 32, 4
# Grey levels (of 255) by which two copies differ in the square where they differ most: mean over its pixels and colours.
THRESHOLD = 11.0
# Root mean square of the differences, above which two pictures are not looked at square by square.
FAR = 20.0
# Pictures that are compared with all others at once.
ROWS = 512


def by_precedence(pictures: Sequence[Picture]) -> list[Picture]:
    """Return pictures in the order in which they are kept: style by style, and short names first (Norway, then Bouvet Island)."""
    styles = list(dict.fromkeys(picture.style for picture in pictures))
    return sorted(pictures, key=lambda picture: (styles.index(picture.style), len(picture.icon), picture.icon))


def pixels_of(pictures: Iterable[Picture]) -> np.ndarray:
    """Return pictures (N, `SIDE`, `SIDE`, 3), uint8, as they are compared.

    They are drawn twice as large and halved: lines thinner than a pixel are drawn unevenly.
    """
    return np.stack([np.asarray(draw(picture.path, 2 * SIDE).reduce(2)) for picture in pictures])


def copies_among(pictures: Sequence[Picture], pixels: np.ndarray) -> dict[str, str]:
    """Return the pictures that repeat an earlier one: key -> key of the picture that is kept.

    A picture is compared with those that are kept. Those of its own concept in its own style, such as other skin tones, count
    only if they are identical: no split divides them.

    Args:
        pictures: those of which the first of several copies is kept.
        pixels: the same, as `pixels_of` draws them.
    """
    found: dict[str, str] = {}
    for later, earlier, differs in sorted(near_pairs(pixels)):
        one, other = pictures[later], pictures[earlier]
        if one.key in found or other.key in found:
            continue
        if differs <= (0 if one.group == other.group else THRESHOLD):
            found[one.key] = other.key
    return found


def near_pairs(pixels: np.ndarray, far: float = FAR) -> Iterator[tuple[int, int, float]]:
    """Yield each pair of pictures that differ little: index of the later, of the earlier, and their `difference`."""
    flat = pixels.reshape(len(pixels), -1).astype(np.float32)
    squares = np.square(flat).sum(1)
    for start in range(0, len(flat), ROWS):
        rows = slice(start, start + ROWS)
        distances = squares[rows, None] + squares[: start + ROWS] - 2 * flat[rows] @ flat[: start + ROWS].T
        for row, earlier in np.argwhere(distances <= far**2 * flat.shape[1]):
            if earlier < (later := start + row):
                yield int(later), int(earlier), difference(pixels[later], pixels[earlier])


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Return how far two pictures (`SIDE`, `SIDE`, 3) differ in the square where they differ most, in grey levels, 0 to 255."""
    gaps = np.abs(one.astype(np.float32) - other).mean(-1)
    count = SIDE // SQUARE
    return float(gaps.reshape(count, SQUARE, count, SQUARE).mean((1, 3)).max())
