"""The groups of prompts that a jackknife leaves out, one at a time."""

from __future__ import annotations

import numpy as np

GROUPS = 20


def group_of(count: int) -> np.ndarray:
    """The group of each of `count` prompts: row number modulo 20, the same for every variation, which pairs them."""
    return np.arange(count) % min(GROUPS, count)
