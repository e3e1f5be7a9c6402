"""Write the record of a training beside the weights: `log.csv`, `loss.png`, `run.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd

from fcr_core.jobs.files import write_json
from fcr_core.jobs.job import run_record
from fcr_core.training.loop import TrainingRun
from fcr_core.training.run_log import training_cost, write_log

SMOOTHING = 50


def write_training_record(folder: Path, run: TrainingRun, settings: dict[str, Any], started: float) -> None:
    """Write the loss of every step as numbers and as a curve, and settings, versions, machine, steps and hours."""
    write_log(run, folder / "log.csv")
    draw_loss(pd.DataFrame(run.history), folder / "loss.png")
    write_json(folder / "run.json", run_record(settings, started) | training_cost(run))


def draw_loss(log: pd.DataFrame, path: Path) -> None:
    """Plot the smoothed loss against the step."""
    figure, axis = plt.subplots(figsize=(4.5, 3), layout="constrained")
    axis.plot(log["step"], log["loss"].rolling(SMOOTHING, min_periods=1).mean())
    axis.set(xlabel="step", ylabel=f"loss (mean of {SMOOTHING} steps)", yscale="log")
    figure.savefig(path, dpi=100)
    plt.close(figure)
