"""Speeds and prices of machines, from config/rates.yaml. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fcr_core.planning.job_costs import JobCost


@dataclass(frozen=True)
class Rates:
    """Sustained speeds (TFLOP/s by precision), prices (USD an hour) and memory of a `cuda` device and of a CPU thread."""

    cuda: dict[str, Any]
    cpu: dict[str, Any]
    start_seconds: float
    euros_a_dollar: float

    @classmethod
    def read(cls, file: Path) -> Rates:
        """Raises `ValueError` when a rate is missing or unknown."""
        try:
            return cls(**yaml.safe_load(file.read_text()))
        except TypeError as error:
            raise ValueError(f"{file}: {str(error).split('() ')[-1]}") from None

    def hours(self, cost: JobCost, on_cuda: bool, threads: int = 1) -> float:
        """Time one job: a CPU's threads share its FLOPs, not its other seconds."""
        speeds, workers = (self.cuda["tflops"], 1) if on_cuda else (self.cpu["tflops"], threads)
        computing = sum(flops / (workers * speeds[precision] * 1e12) for precision, flops in cost.flops.items())
        return (self.start_seconds + cost.seconds + computing) / 3600
