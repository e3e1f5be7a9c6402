"""The log of a training run, a row a step, and the hours that the run took by it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch

from fcr_core.jobs.files import replacing
from fcr_core.training.loop import TrainingRun


def write_log(run: TrainingRun, path: Path | str) -> None:
    """Write `log.csv`, with one row a step."""
    with replacing(path) as draft:
        pd.DataFrame(run.history).to_csv(draft, index=False)


def training_cost(run: TrainingRun) -> dict[str, float]:
    """Return the cost of the run: `steps`, `hours`, and `gpu_hours` on GPUs or else `cpu_core_hours`.

    Hours are steps times the median time of a step, plus validations times the median time of a validation. So pauses and other
    work on the machine do not count.
    """
    history = pd.DataFrame(run.history).reindex(columns=["seconds", "validation_seconds"])
    hours = (history.median().fillna(0) * [run.step, history["validation_seconds"].count()]).sum() / 3600
    on_cpu = run.device == "cpu"
    taken = hours * run.workers.num_processes * (torch.get_num_threads() if on_cpu else 1)
    return {"steps": run.step, "hours": round(hours, 4), "cpu_core_hours" if on_cpu else "gpu_hours": round(taken, 4)}
