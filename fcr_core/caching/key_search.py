"""Search for the key steps that do the least harm: move them one at a time as long as the cached sampler gets closer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

Keys = tuple[int, ...]
MOVES = (-2, -1, 1, 2)
# A move must gain 2 %. Smaller gains are noise of the few trajectories that the distance is measured on.
GAIN = 0.02


def search_key_steps(distance: Callable[[Keys], float], steps: int, count: int) -> Keys:
    """Return `count` key steps of `steps` sampling steps that are a local minimum of `distance` (a number of at least 0).

    The search starts at evenly spread key steps. It moves one key step at a time by up to two steps. A move is taken if it makes
    the distance at least 2 % smaller. The search ends when no move does. The first key step is always 0.

    >>> search_key_steps(lambda keys: sum((key - goal) ** 2 for key, goal in zip(keys, (0, 3, 9, 11))), 12, 4)
    (0, 3, 9, 11)

    Raises `ValueError` unless 2 <= count <= steps.
    """
    if not 2 <= count <= steps:
        raise ValueError(f"{count} key steps do not fit into {steps} sampling steps: choose 2 to {steps}")
    best = evenly_spread(steps, count)
    least, moved = distance(best), True
    while moved:
        moved = False
        for which in range(1, count):
            for move in MOVES:
                tried = (*best[:which], best[which] + move, *best[which + 1 :])
                if increases(tried, steps) and (reached := distance(tried)) < (1 - GAIN) * least:
                    best, least, moved = tried, reached, True
    return best


def evenly_spread(steps: int, count: int) -> Keys:
    """Return key steps from 0 on, in groups of equal length up to rounding.

    >>> evenly_spread(50, 10)
    (0, 5, 10, 15, 20, 25, 30, 35, 40, 45)
    """
    return tuple(int(key) for key in np.linspace(0, steps, count, endpoint=False))


def read_keys(file: Path) -> Keys:
    """Return the key steps that `workflow_scripts/search_key_steps.py` wrote."""
    return tuple(json.loads(file.read_text())["keys"])


def increases(keys: Keys, steps: int) -> bool:
    return all(a < b for a, b in zip(keys, [*keys[1:], steps], strict=True))
