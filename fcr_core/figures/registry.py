"""Figures by the name that an experiment gives them. No matplotlib here: Snakemake reads what each needs."""

from __future__ import annotations

from dataclasses import dataclass

SAMPLES = ("samples", "preserving_samples")


@dataclass(frozen=True)
class FigureKind:
    """One entry adds a figure.

    Args:
        shows: for people.
        needs: what an experiment has to have, as `Experiment.lacks` takes it.
    """

    shows: str
    needs: tuple[str, ...] = ()


# All but those of `SAMPLES` are drawn from tables, by `figure` of the module of their name.
FIGURES = {
    "tradeoff": FigureKind("quality against latency", ("cost", "pairs")),
    "front": FigureKind("distance to the uncached output against latency, and who is on the front", ("cost", "pairs", "goal")),
    "samples": FigureKind("the same prompts and noise in every row"),
    "preserving_samples": FigureKind("samples of the rows that keep the goal's quality", ("criteria", "goal")),
    "ablation_grid": FigureKind("distances and feature variance of each recipe", ("mechanism", "pairs")),
    "mechanism": FigureKind("does feature variance predict the quality lost", ("mechanism", "pairs")),
}
