"""The checks of a configuration that names need: what is called alike lies in the same file, so it must be the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fcr_core.experiment.cell import Cell, Model
from fcr_core.experiment.config_error import require
from fcr_core.experiment.experiment import Experiment
from fcr_core.experiment.paths import Paths
from fcr_core.experiment.row import Row, given_rows

PATHS = Paths()
# `{experiment}_64px` is how the cost of an experiment at another size is called.
OF_A_SIZE = re.compile(r".*_\d+px")


def check_names_apart(config: Mapping[str, Any], experiments: Mapping[str, Experiment]) -> None:
    """No two rows, models, cells or experiments that differ have one name, and so one place for their results."""
    for name, experiment in experiments.items():
        allowed = "ends as files of costs do: choose another name"
        require(f"experiments.{name}", experiment.title, not OF_A_SIZE.fullmatch(name), allowed)
        check_row_names(experiment)
        check_equal_rows(config, name)
    check_models(experiments.values())
    check_files(experiments.values())


def check_row_names(experiment: Experiment) -> None:
    """Each row has a name of its own."""
    names: set[str] = set()
    for row in experiment.rows:
        allowed = "two rows have this name: give one of them another"
        require(f"experiments.{experiment.name}.rows", row.name, row.name not in names, allowed)
        names.add(row.name)


def check_equal_rows(config: Mapping[str, Any], experiment: str) -> None:
    """Refuse a name or a role of a later row of the same cell: only the first is shown, so the later one would be lost."""
    first: dict[Cell, Row] = {}
    rows = given_rows(config, experiment)
    for given in rows if any({"name", "role"} & given.fields.keys() for given in rows) else []:
        row = Row.from_config(given, config)
        kept = first.setdefault(row.cell, row)
        for field in ("name", "role"):
            shown = field not in given.fields or getattr(row, field) == getattr(kept, field)
            allowed = f"an earlier row is the same cell, {row.cell.sampler.name}: leave one of them out"
            require(given.key(field), given.fields.get(field), shown, allowed)


def check_models(experiments: Iterable[Experiment]) -> None:
    """Fine-tunes of one name are one fine-tune, and cells of one path one cell."""
    models: dict[str, Model] = {}
    cells: dict[str, Cell] = {}
    for experiment in experiments:
        at = f"experiments.{experiment.name}.rows"
        for cell in (*(row.cell for row in experiment.rows), *experiment.twins):
            same_model = models.setdefault(cell.model.path, cell.model) == cell.model
            require(at, cell.model.name, same_model, "two fine-tunes would have this name: rename the recipe, or round lam")
            same_cell = cells.setdefault(cell.path, cell) == cell
            require(at, cell.sampler.name, same_cell, "two samplers would have this name: round guidance or prior_noise")


def check_files(experiments: Iterable[Experiment]) -> None:
    """No experiment writes a file of another."""
    owners: dict[str, str] = {}
    for experiment in experiments:
        for file in files_of(experiment):
            owner = owners.setdefault(file, experiment.name)
            allowed = f"would write {file}, as experiments.{owner} does: choose another name"
            require(f"experiments.{experiment.name}", experiment.title, owner == experiment.name, allowed)


def files_of(experiment: Experiment) -> list[str]:
    """The files called by an experiment and by something that the configuration names beside it."""
    return [PATHS.figure(experiment, figure) for figure in experiment.figures]


def check_targets(experiments: Iterable[str], rules: Iterable[str]) -> None:
    """An experiment is a target, as every rule is: none is called by the name of a rule."""
    taken = set(rules)
    for name in experiments:
        require(f"experiments.{name}", name, name not in taken, "a rule of the workflow has this name: choose another")
