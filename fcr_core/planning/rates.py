"""Speeds and prices of machines, from config/rates.yaml. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from fcr_core.experiment.config_files import read_config_file
from fcr_core.planning.job_costs import JobCost

SPEED = {"type": "number", "exclusiveMinimum": 0, "maximum": 1e9}
DEVICE = {
    "type": "object",
    "required": ["name", "tflops", "memory_gb", "price"],
    "properties": {
        "tflops": {
            "type": "object",
            "required": ["fp32", "bf16", "fp16"],
            "additionalProperties": SPEED,
        },
        "memory_gb": {"anyOf": [{"type": "null"}, SPEED]},
        "price": {"type": "number", "minimum": 0},
    },
}
SCHEMA = {
    "properties": {"cuda": DEVICE, "cpu": DEVICE, "start_seconds": {"type": "number", "minimum": 0}, "euros_a_dollar": SPEED}
}


@dataclass(frozen=True)
class Rates:
    """Sustained speeds (TFLOP/s by precision), prices (USD an hour) and memory of a `cuda` device and of a CPU thread."""

    cuda: dict[str, Any]
    cpu: dict[str, Any]
    start_seconds: float
    euros_a_dollar: float

    @classmethod
    def read(cls, file: Path) -> Rates:
        """Raises `ValueError`, which names the file, when a rate is missing, unknown or no number."""
        try:
            rates = cls(**read_config_file(file))
        except TypeError as error:
            raise ValueError(f"{file}: {str(error).split('() ')[-1]}") from None
        for wrong in Draft202012Validator(SCHEMA).iter_errors(vars(rates)):
            raise ValueError(f"{file}: {wrong.json_path.removeprefix('$.')} = {wrong.instance!r}: {wrong.message}")
        return rates

    def hours(self, cost: JobCost, on_cuda: bool, threads: int = 1) -> float:
        """Time one job: a CPU's threads share its FLOPs, not its other seconds."""
        speeds, workers = (self.cuda["tflops"], 1) if on_cuda else (self.cpu["tflops"], threads)
        computing = sum(flops / (workers * speeds[precision] * 1e12) for precision, flops in cost.flops.items())
        return (self.start_seconds + cost.seconds + computing) / 3600
