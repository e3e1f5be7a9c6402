"""The rows of the Exp-1 table: which weights and which sampler stand behind each name. No torch here: Snakemake reads it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Variation:
    """One row: `lam` is None for the base model; `sampler` names the way of sampling, shared by rows of equal cost."""

    name: str
    lam: str | None
    sampler: str
    scheduler: str
    steps: int
    stride: int


def lambda_name(lam: float) -> str:
    """0 -> "0", 0.1 -> "0.10", 0.125 -> "0.125": as the literature writes it, one name a value."""
    if lam == 0:
        return "0"
    return f"{lam:.2f}" if round(lam, 2) == lam else f"{lam:g}"


def uncached_name(config: dict[str, Any]) -> str:
    """`uncached-50`: every step a key step; the twin that cached rows are compared with."""
    return f"uncached-{config['sampling']['steps']}"


def quality_goal(config: dict[str, Any]) -> str:
    """`FD-5`: the row whose quality the others should keep."""
    return f"FD-{config['sampling']['strides'][0]}"


def variations_of(config: dict[str, Any]) -> dict[str, Variation]:
    """All rows of the table in its order, by name."""
    sampling = config["sampling"]
    rows = [Variation(uncached_name(config), None, uncached_name(config), "ddim", sampling["steps"], 1)]
    rows += [Variation(name, None, name, b["scheduler"], b["steps"], 1) for name, b in config["baselines"].items()]
    rows += [Variation(f"FD-{s}", None, f"FD-{s}", "ddim", sampling["steps"], s) for s in sampling["strides"]]
    for lam in map(lambda_name, config["finetune"]["lambdas"]):
        for s in sampling["fcr_strides"]:
            rows.append(Variation(f"FCR({lam})-FD-{s}", lam, f"FD-{s}", "ddim", sampling["steps"], s))
    return {row.name: row for row in rows}


def max_delta_in_train_steps(config: dict[str, Any], num_train_timesteps: int = 1000) -> int:
    """Δ_max in training timesteps, whatever the unit in the config."""
    finetune = config["finetune"]
    if finetune["delta_unit"] == "sampling_steps":
        return finetune["max_delta"] * num_train_timesteps // config["sampling"]["steps"]
    return finetune["max_delta"]


def deltas_of(config: dict[str, Any], num_train_timesteps: int = 1000) -> list[int]:
    """The Δ, in training timesteps, at which σ²_Δ is measured: 1..10 and the span of each stride in use."""
    sampling = config["sampling"]
    strides = {*sampling["strides"], *sampling["fcr_strides"]}
    return sorted({*range(1, 11), *(num_train_timesteps // sampling["steps"] * stride for stride in strides)})


def samplers_json(variations: Iterable[Variation]) -> str:
    """The distinct ways of sampling, for the command line: rows that differ in weights alone cost the same."""
    samplers = {
        v.sampler: {"name": v.sampler, "scheduler": v.scheduler, "steps": v.steps, "stride": v.stride} for v in variations
    }
    return json.dumps(list(samplers.values()))


def rows_json(variations: Iterable[Variation], measurements: dict[str, list[str]]) -> str:
    """The rows of the table with their files of measurements, for the command line."""
    return json.dumps([{"variation": asdict(v), "files": measurements[v.name]} for v in variations])
