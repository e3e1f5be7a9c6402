"""Samplers as a row of a configuration says them."""

from __future__ import annotations

from typing import Any

from fcr_core.experiment.sampler import Sampler


def sampler(scheduler: str, steps: int, guidance: float = 3.0, **plan: Any) -> Sampler:
    """A plain solver or, with a stride or keys, a cached run."""
    return Sampler.from_config(plan, {"scheduler": scheduler, "steps": steps, "guidance": guidance})
