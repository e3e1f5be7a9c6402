"""What the pre-training of a backbone took, and a fine-tune's share of it. No torch here: Snakemake reads it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Pretraining:
    """`hours` in a unit that a fine-tune's `run.json` has too (`gpu_hours` or `cpu_core_hours`), on which machine, says who."""

    hours: float
    unit: str
    machine: str
    source: str

    def share(self, cost: dict[str, float]) -> dict[str, Any]:
        """For `run.json`: the `cost` of a training over these hours, and these hours. Nothing when it has another unit.

        >>> Pretraining(150_000, "gpu_hours", "A100", "its card").share({"gpu_hours": 75.0})["share_of_pretraining"]
        0.0005
        """
        if self.unit not in cost:
            return {}
        return {"share_of_pretraining": round(cost[self.unit] / self.hours, 8), "pretraining": asdict(self)}
