"""The replicates of a jackknife: a metric of a set with each group of prompts left out."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from fcr_core.metrics.metric import metrics_of
from fcr_core.statistics.prompt_groups import group_of

# Stands for the images of all seeds together.
ALL = -1


def replicates(metric: ModuleType, features: np.ndarray, reference: np.ndarray) -> Iterator[tuple[int, Any]]:
    """(-1, value of all rows), then (g, value without group g), for `features` (seeds, prompts, d) and `reference` (m, d).

    The images of all seeds are one set, of which a prompt is left out with all its seeds. `metric` is a module of this package
    with `of_set`; a value is what that returns. Its own `left_out` is used if it has one.
    """
    seeds, prompts, width = features.shape
    rows, groups = features.reshape(-1, width), np.tile(group_of(prompts), seeds)
    if hasattr(metric, "left_out"):
        return enumerate(metric.left_out(rows, reference, groups), start=-1)
    kept = [np.ones(len(rows), bool), *(groups != group for group in range(groups.max() + 1))]
    return ((group, metric.of_set(rows[which], reference)) for group, which in enumerate(kept, start=-1))


def over_seeds(
    metric: ModuleType, features: np.ndarray, reference: np.ndarray, seeds: list[int]
) -> Iterator[tuple[int, int, Any]]:
    """(seed, group, value): of the images of all seeds together, seed ALL, with each group left out; of each seed's, whole.

    Together, because more images mean less bias and an interval nearer to 95 % (docs/statistics.md). An unbiased metric is
    the mean over seeds instead: within a prompt the images of two seeds are no independent pair.
    """
    if metrics_of(metric)[0].unbiased:
        for seed, of_seed in zip(seeds, features, strict=True):
            yield from ((seed, group, value) for group, value in replicates(metric, of_seed[None], reference))
        return
    yield from ((ALL, group, value) for group, value in replicates(metric, features, reference))
    if len(seeds) > 1:
        yield from ((seed, -1, metric.of_set(rows, reference)) for seed, rows in zip(seeds, features, strict=True))
