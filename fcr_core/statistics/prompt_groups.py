"""Groups of prompts that a jackknife leaves out, one at a time."""

from __future__ import annotations

import numpy as np

GROUPS = 20


def group_of(count: int) -> np.ndarray:
    """Number the group of each of `count` prompts: row number modulo 20. It is the same for every variation, which pairs them."""
    return np.arange(count) % min(GROUPS, count)
