"""Experiments as a configuration says them, and measurements in the form that the scripts write them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import yaml

from fcr_core.experiment.experiment import Experiment
from fcr_core.metrics import frechet
from fcr_core.metrics.left_out import replicates
from fcr_core.tables.cost import Cost
from fcr_core.tables.measurements import Measurements

from .workspace import ROOT, merged

COLUMNS = ["metric", "seed", "prompt_id", "group", "value"]


def experiment_of(rows: list[Any], **fields: Any) -> Experiment:
    """The experiment of these rows, on the backbone and data set of config.yaml unless it says others."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    given = {"backbones": ["pocket"], "datasets": ["twemoji"], "scenarios": ["clean"], "goal": "FD-5", "seeds": [0], "rows": rows}
    config = merged(config, {"backbones": {name: {"train": "twemoji", "like": "pocket"} for name in fields.get("backbones", [])}})
    return Experiment.from_config(config | {"experiments": {"ours": given | fields}}, "ours")


def per_prompt(metric: str, values: np.ndarray) -> list[tuple]:
    """Lines of values (seeds, prompts) or (prompts,)."""
    rows = np.atleast_2d(values)
    return [(metric, seed, f"p{i}", -1, value) for seed, row in enumerate(rows) for i, value in enumerate(row)]


def of_sets(metric: str, features: np.ndarray, reference: np.ndarray) -> list[tuple]:
    """Lines of the Fréchet distance of features (seeds, prompts, d): of all prompts, and with each group left out."""
    return [
        (metric, seed, "", group, value)
        for seed, rows in enumerate(features)
        for group, value in replicates(frechet, rows[None], reference)
    ]


def jackknifed(metric: str, value: float) -> list[tuple]:
    """Lines of a metric of sets whose value hardly depends on the prompts."""
    return [(metric, 0, "", group, value * (1 + 0.0001 * group)) for group in range(-1, 20)]


def long(lines: Iterable[tuple]) -> pd.DataFrame:
    return pd.DataFrame(lines, columns=COLUMNS)


def measurements(lines: Iterable[tuple]) -> Measurements:
    return Measurements(long(lines))


def timings(seconds: dict[str, float], batches: Iterable[int] = (1,), repeats: int = 4, **peaks: float) -> pd.DataFrame:
    """Timings of samplers at their seconds an image, a little slower each round; `peaks` are bytes by sampler (1000)."""
    return pd.DataFrame(
        [
            {"sampler": name, "batch": batch, "repeat": i, "seconds": batch * value * (1 + 0.01 * i)}
            | {"seconds_per_image": value * (1 + 0.01 * i), "device": "a CPU", "unet_flops": 1e9 * value}
            | {"encoder_passes": 10, "decoder_passes": 50}
            | {"peak_tensor_bytes": peaks.get(name, 1000), "loop_tensor_bytes": 0.5 * peaks.get(name, 1000)}
            for batch in batches
            for name, value in seconds.items()
            for i in range(repeats)
        ]
    )


def cost(seconds: dict[str, float], **options: Any) -> dict[str, Cost]:
    """By backbone."""
    return {"pocket": Cost(timings(seconds, **options))}
