"""Lift values to 0 that only rounding has taken below it."""

from __future__ import annotations

import numpy as np


def not_negative(value: float, scale: float, width: int) -> float:
    """Return a value that cannot be negative, 0 where rounding has taken it below.

    It is the difference of numbers of the size `scale`, in which the roots of `width` eigenvalues were added: each is wrong by up
    to the root of the precision. Raises `ValueError` for a value that rounding does not explain.

    >>> not_negative(-1e-9, 1.0, 64)
    0.0
    """
    if value < -width * scale * np.sqrt(np.finfo(np.float64).eps):
        raise ValueError(f"a distance of {value:.3g} where none can be negative: its moments are of no set of rows")
    return max(value, 0.0)
