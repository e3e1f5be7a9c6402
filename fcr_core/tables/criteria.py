"""The plan's success criteria as bounds, and their verdict: met, not met or inconclusive."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple

from fcr_core.statistics.intervals import Interval

Verdict = Literal["met", "not met", "inconclusive"]


@dataclass(frozen=True)
class Criterion:
    """A claim "at most `limit`" or "at least `limit`" about one compared quantity."""

    name: str
    direction: Literal["at most", "at least"]
    limit: float

    def of(self, title: str) -> Criterion:
        """The same claim about the quantity `title`."""
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


VERDICT_COLUMNS = ["criterion", "claim", "value", "low", "high", "lower_bound", "upper_bound", "verdict", "metric"]


class Compared(NamedTuple):
    """A criterion, what was measured for it, and the metric that was compared ("" for cost)."""

    criterion: Criterion
    measured: Interval
    metric: str = ""

    def row(self) -> dict[str, Any]:
        """Its columns in a table of verdicts."""
        claim = {"criterion": self.criterion.name, "claim": f"{self.criterion.direction} {self.criterion.limit:g}"}
        return claim | asdict(self.measured) | {"verdict": self.criterion.verdict(self.measured), "metric": self.metric}


# Experiment 1 of the plan, each against FD-5 but for the feature variance, which is against the base model. Verdicts on recipes
# take their limits from here. The measured Fréchet distance and image-text score put their own names in place of {}.
EXP1 = {
    "frechet": Criterion("{}, relative change", "at most", 0.05),
    "image_text": Criterion("{}, relative change", "at least", -0.02),
    "speedup": Criterion("speed-up at batch 1", "at least", 1.4),
    "memory": Criterion("peak tensor memory, relative change", "at most", 0.02),
    "feature_variance": Criterion("σ²_Δ, mean over Δ = 1..10, relative change", "at most", -0.30),
}
