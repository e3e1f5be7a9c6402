"""The cost of a backbone's pre-training, and the share of it that a fine-tune takes. No torch here: Snakemake reads it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Pretraining:
    """The cost of a pre-training: hours, on which machine, and who says so.

    `unit` is one that a fine-tune's `run.json` has too: `gpu_hours` or `cpu_core_hours`.
    """

    hours: float
    unit: str
    machine: str
    source: str

    def share(self, cost: dict[str, float]) -> dict[str, Any]:
        """Return the `cost` of a training divided by these hours, and these hours, for `run.json`.

        The result is empty when the cost has another unit.

        >>> Pretraining(150_000, "gpu_hours", "A100", "its card").share({"gpu_hours": 75.0})["share_of_pretraining"]
        0.0005
        """
        if self.unit not in cost:
            return {}
        return {"share_of_pretraining": round(cost[self.unit] / self.hours, 8), "pretraining": asdict(self)}
