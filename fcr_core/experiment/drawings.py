"""The cells that all experiments draw together: each cell once, with as many prompts and seeds as any of them wants. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fcr_core.experiment.cell import Cell
from fcr_core.experiment.experiment import Experiment


@dataclass(frozen=True)
class Drawing:
    """A cell, the first so many prompts of its data set, and the seeds of its noise (and of its fine-tune's training)."""

    cell: Cell
    prompts: int
    seeds: tuple[int, ...]


def drawings_of(experiments: Iterable[Experiment], chosen: Mapping[str, int]) -> dict[str, Drawing]:
    """By the cells' paths. `chosen` is how many prompts of each data set are evaluated.

    A fine-tuned model that is drawn uncached only to compare with is drawn on an experiment's `twin_prompts`.
    """
    drawings: dict[str, Drawing] = {}
    for experiment in experiments:
        twins = experiment.twins
        for cell in (*(row.cell for row in experiment.rows), *twins):
            whole = min(experiment.prompts or chosen[cell.setting.dataset], chosen[cell.setting.dataset])
            beside = cell.model.recipe is not None and cell in twins
            prompts = min(experiment.twin_prompts, whole) if beside else whole
            known = drawings.get(cell.path, Drawing(cell, 0, ()))
            seeds = tuple(sorted({*known.seeds, *experiment.seeds}))
            drawings[cell.path] = Drawing(cell, max(prompts, known.prompts), seeds)
    return drawings
