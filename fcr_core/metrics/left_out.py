"""The replicates of a jackknife: a metric of a set with each group of prompts left out."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from fcr_core.measurements import group_of, leave_one_group_out


def replicates(metric: ModuleType, features: np.ndarray, reference: np.ndarray) -> Iterator[tuple[int, Any]]:
    """(-1, value of all rows), then (g, value without group g), for `features` (n, d), a row a prompt, and `reference` (m, d).

    `metric` is a module of this package with `of_set`; a value is what that returns. Its own `left_out` is used if it has one.
    """
    if hasattr(metric, "left_out"):
        return enumerate(metric.left_out(features, reference, group_of(len(features))), start=-1)
    return ((group, metric.of_set(features[kept], reference)) for group, kept in leave_one_group_out(len(features)))
