"""Success criteria as bounds, and their verdict: met, not met or inconclusive. Every limit is declared here."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple

from fcr_core.statistics.intervals import Interval

Verdict = Literal["met", "not met", "inconclusive"]
Kind = Literal["quality", "speed", "memory", "variance", "solvers"]
Unit = Literal["relative change", "difference", "factor"]

# How much worse than the goal a distance may be, and an image-text score; how much more memory a row may take.
DISTANCE_MARGIN, SCORE_MARGIN, MEMORY_MARGIN = 0.05, 0.02, 0.02
# Speed-ups over the goal, and the fall of σ²_Δ below the published weights' that the plan asks for.
SPEEDUP, TWICE, VARIANCE_FALL = 1.4, 2.0, 0.30


@dataclass(frozen=True)
class Criterion:
    """A claim "at most `limit`" or "at least `limit`" about one compared quantity."""

    name: str
    direction: Literal["at most", "at least"]
    limit: float
    kind: Kind
    unit: Unit = "relative change"

    def of(self, title: str | int) -> Criterion:
        """The same claim about the quantity `title`, or at the batch."""
        return replace(self, name=self.name.format(title))

    def verdict(self, measured: Interval) -> Verdict:
        """Met only if the one-sided 95 % bound is inside the limit, not met if the other bound lies outside of it."""
        low, high = measured.lower_bound, measured.upper_bound
        if self.direction == "at least":
            low, high = -high, -low
        limit = self.limit if self.direction == "at most" else -self.limit
        if high <= limit:
            return "met"
        return "not met" if low > limit else "inconclusive"


class Compared(NamedTuple):
    """A criterion and what was measured for it.

    `against`: the row that was compared with. `metric`: what was compared, "" for cost. `batch`: images a call, of cost.
    `asked`: False for what is reported beside, and decides nothing.
    """

    criterion: Criterion
    measured: Interval
    against: str
    metric: str = ""
    batch: int | None = None
    asked: bool = True

    def row(self) -> dict[str, Any]:
        """Its columns in a table of verdicts."""
        claim = {"kind": self.criterion.kind, "criterion": self.criterion.name, "unit": self.criterion.unit}
        claim["claim"] = f"{self.criterion.direction} {self.criterion.limit:g}"
        verdict = {"verdict": self.criterion.verdict(self.measured), "metric": self.metric, "against": self.against}
        return claim | asdict(self.measured) | verdict | {"batch": self.batch, "asked": self.asked}


VERDICT_COLUMNS = [
    "variation", "kind", "criterion", "unit", "claim", "value", "low", "high", "lower_bound", "upper_bound", "verdict", "metric",
    "against", "batch", "asked",
]  # fmt: skip
