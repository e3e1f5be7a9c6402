"""The groups of prompts that a jackknife leaves out, one at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

GROUPS = 20


def group_of(count: int) -> np.ndarray:
    """The group of each of `count` prompts: row number modulo 20, the same for every variation, which pairs them."""
    return np.arange(count) % min(GROUPS, count)


def leave_one_group_out(count: int) -> Iterator[tuple[int, np.ndarray]]:
    """(-1, all rows), then (g, the rows outside group g)."""
    groups = group_of(count)
    yield -1, np.ones(count, bool)
    for group in range(groups.max() + 1):
        yield group, groups != group
