"""Verdicts on ways of sampling: at least twice as fast as the goal, and as close to the uncached output by every distance?"""

from __future__ import annotations

from collections.abc import Iterator

from fcr_core.experiment.row import Row
from fcr_core.statistics.intervals import skewed_mean_interval
from fcr_core.tables.comparisons import speedup
from fcr_core.tables.criteria import DISTANCE_MARGIN, TWICE, Compared, Criterion
from fcr_core.tables.measured import Measured
from fcr_core.tables.measurements import shared_prompts
from fcr_core.tables.metric_columns import label

DISTANCES = ("latent_mse_own", "st_lpips_alex_own")
# x − 1.05 · goal at most 0, paired by prompt.
NO_WORSE = Criterion(f"{{}}, less {1 + DISTANCE_MARGIN:g} times the goal's", "at most", 0.0, "quality", "difference")


def is_judged(row: Row) -> bool:
    """All but the goal and the uncached run, plain solvers too: a cache has to earn its place beside them."""
    return row.name != row.goal and row.cell != row.base


def verdicts(row: Row, goal: Row, measured: Measured) -> Iterator[Compared]:
    """Speed-up at each batch, then each distance."""
    for batch in measured.costs[row.cell.model.backbone].batches:
        yield speedup(row, goal, measured, batch, TWICE)
    for metric in DISTANCES:
        mine, goals = shared_prompts(measured.arms[row.name], measured.arms[goal.name], metric)
        gap = skewed_mean_interval(mine - (1 + DISTANCE_MARGIN) * goals)
        yield Compared(NO_WORSE.of(label(metric)), gap, goal.name, metric)
