"""The replicates of a jackknife: a metric of a set with each group of prompts left out."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from fcr_core.metrics.metric import metrics_of
from fcr_core.statistics.prompt_groups import group_of

# The seed of a value that was computed from the images of all seeds together.
ALL = -1


def replicates(metric: ModuleType, features: np.ndarray, reference: np.ndarray) -> Iterator[tuple[int, Any]]:
    """Yield (-1, value of all rows), then (g, value without group g), for `features` (seeds, prompts, d), `reference` (m, d).

    The images of all seeds form one set; a prompt is left out with all its seeds. `metric` is a module of this package with
    `of_set`, and a value is what `of_set` returns. The module's own `left_out` is used if it has one. Raises `ValueError` for
    fewer than two prompts.
    """
    seeds, prompts, width = features.shape
    if prompts < 2:
        raise ValueError(
            f"{metric.__name__.split('.')[-1]}: leaving out groups of prompts needs at least 2 prompts, not {prompts}"
        )
    rows, groups = features.reshape(-1, width), np.tile(group_of(prompts), seeds)
    if hasattr(metric, "left_out"):
        return enumerate(metric.left_out(rows, reference, groups), start=-1)
    kept = [np.ones(len(rows), bool), *(groups != group for group in range(groups.max() + 1))]
    return ((group, metric.of_set(rows[which], reference)) for group, which in enumerate(kept, start=-1))


def over_seeds(
    metric: ModuleType, features: np.ndarray, reference: np.ndarray, seeds: list[int]
) -> Iterator[tuple[int, int, Any]]:
    """Yield (seed, group, value).

    Biased metric: the images of all seeds form one set (seed ALL), from which each group is left out in turn. More images mean
    less bias and an interval nearer to 95 % (docs/statistics.md). Each seed's whole set follows.
    Unbiased metric: each seed by itself, with each group left out; the mean over seeds is reported. Two seeds of one prompt are
    not an independent pair.
    """
    if metrics_of(metric)[0].unbiased:
        for seed, of_seed in zip(seeds, features, strict=True):
            yield from ((seed, group, value) for group, value in replicates(metric, of_seed[None], reference))
        return
    yield from ((ALL, group, value) for group, value in replicates(metric, features, reference))
    if len(seeds) > 1:
        yield from ((seed, -1, metric.of_set(rows, reference)) for seed, rows in zip(seeds, features, strict=True))
