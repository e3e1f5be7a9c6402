"""The plan's criteria for Experiment 1: does a fine-tune keep the goal's quality, and is it faster?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fcr_core.experiment.row import Row
from fcr_core.statistics.intervals import Jackknifed, jackknifed_mean
from fcr_core.statistics.prompt_groups import group_of
from fcr_core.tables.comparisons import memory_change, relative_change, speedup
from fcr_core.tables.criteria import SPEEDUP, VARIANCE_FALL, Compared, Criterion
from fcr_core.tables.measured import Measured
from fcr_core.tables.measurements import VARIANCE, Measurements
from fcr_core.tables.metric_roles import FRECHET, IMAGE_TEXT

DELTAS = range(1, 11)
CALMER = Criterion("σ²_Δ, mean over Δ = 1..10, relative change", "at most", -VARIANCE_FALL, "variance")


def is_judged(row: Row) -> bool:
    """Only fine-tunes."""
    return row.cell.model.recipe is not None


def verdicts(row: Row, goal: Row, measured: Measured) -> Iterator[Compared]:
    """Quality, and cost at the smallest batch, against the goal; σ²_Δ against the published weights, which the goal has."""
    batch = measured.costs[row.cell.model.backbone].batches[0]
    yield relative_change(row, goal, measured, FRECHET)
    yield relative_change(row, goal, measured, IMAGE_TEXT)
    yield speedup(row, goal, measured, batch, SPEEDUP)
    yield memory_change(row, goal, measured, batch)
    mine, base = (mean_variance(measured.arms[name]) for name in (row.name, goal.name))
    yield Compared(CALMER, mine.relative_change(base), goal.name, f"{VARIANCE}_d10")


def mean_variance(arm: Measurements) -> Jackknifed:
    """σ²_Δ averaged over Δ = 1..10. Raises `ValueError` for a Δ that was not measured."""
    missing = [delta for delta in DELTAS if f"{VARIANCE}_d{delta}" not in arm]
    if missing:
        raise ValueError(f"σ²_Δ was not measured at Δ = {missing}: config key metrics.deltas must hold 1 to 10")
    per_delta = [arm.per_prompt(f"{VARIANCE}_d{delta}").to_numpy() for delta in DELTAS]
    values = np.mean(per_delta, axis=0)
    return jackknifed_mean(values, group_of(len(values)))
