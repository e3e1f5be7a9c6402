"""Criteria that several sets of verdicts ask for: a row against the row whose quality it should keep."""

from __future__ import annotations

from fcr_core.experiment.row import Row
from fcr_core.statistics.intervals import Interval
from fcr_core.tables.criteria import DISTANCE_MARGIN, MEMORY_MARGIN, SCORE_MARGIN, Compared, Criterion
from fcr_core.tables.measured import Measured
from fcr_core.tables.metric_columns import label
from fcr_core.tables.metric_roles import FRECHET, IMAGE_TEXT, Role

# The measured metric puts its own name in place of {}.
QUALITY = {
    FRECHET: Criterion("{}, relative change", "at most", DISTANCE_MARGIN, "quality"),
    IMAGE_TEXT: Criterion("{}, relative change", "at least", -SCORE_MARGIN, "quality"),
}
MEMORY = {
    "peak_tensor_bytes": Criterion("peak tensor memory at batch {}, relative change", "at most", MEMORY_MARGIN, "memory"),
    "loop_tensor_bytes": Criterion(
        "peak tensor memory of the sampling loop at batch {}, relative change", "at most", MEMORY_MARGIN, "memory"
    ),
}


def relative_change(row: Row, goal: Row, measured: Measured, role: Role) -> Compared:
    """Change of the metric that has the role, over the goal's."""
    mine, goals = measured.arms[row.name], measured.arms[goal.name]
    metric = role.column(mine.by_metric)
    change = mine.jackknifed(metric).relative_change(goals.jackknifed(metric))
    return Compared(QUALITY[role].of(label(metric)), change, goal.name, metric)


def speedup(row: Row, goal: Row, measured: Measured, batch: int, limit: float) -> Compared:
    """Speed-up over the goal at a batch."""
    cost = measured.costs[row.cell.model.backbone]
    criterion = Criterion(f"speed-up at batch {batch}", "at least", limit, "speed", "factor")
    return Compared(criterion, cost.speedup(row.cell.sampler.name, goal.cell.sampler.name, batch), goal.name, batch=batch)


def memory_change(row: Row, goal: Row, measured: Measured, batch: int, of: str = "peak_tensor_bytes") -> Compared:
    """Change of the peak of tensors; the weights of the row's own decoder count."""
    cost = measured.costs[row.cell.model.backbone]
    mine = cost.peak(row.cell.sampler.name, batch, of) + measured.decoder_bytes.get(row.name, 0)
    change = mine / cost.peak(goal.cell.sampler.name, batch, of) - 1
    return Compared(MEMORY[of].of(batch), Interval(*[change] * 5), goal.name, batch=batch, asked=of == "peak_tensor_bytes")
