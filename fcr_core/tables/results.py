"""The tables of an experiment as its figures and pages read them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fcr_core.experiment.experiment import Experiment
from fcr_core.experiment.paths import Paths
from fcr_core.experiment.row import Row
from fcr_core.tables.measurement_table import read_measurement_table, wide
from fcr_core.tables.names import FIT, MECHANISM
from fcr_core.tables.places import Place, by_place


@dataclass(frozen=True)
class Results:
    """The tables of one experiment.

    Args:
        rows: one line a row, with every measurement as a column (`fcr_core.tables.measurement_table.wide`).
        criteria: verdicts; empty if the experiment has no criteria.
        mechanism: σ²_Δ by model and block; None if the experiment does not ask for it.
        fits: how well it predicts distances.
    """

    experiment: Experiment
    rows: pd.DataFrame
    criteria: pd.DataFrame
    mechanism: pd.DataFrame | None = None
    fits: pd.DataFrame | None = None

    @classmethod
    def read(cls, experiment: Experiment, paths: Paths) -> Results:
        rows = wide(read_measurement_table(Path(paths.table(experiment, "measurements.csv"))), experiment)
        criteria = read_criteria(Path(paths.table(experiment, "criteria.csv")))
        if experiment.mechanism is None:
            return cls(experiment, rows, criteria)
        mechanism, fits = (pd.read_csv(paths.table(experiment, kind)) for kind in (MECHANISM, FIT))
        return cls(experiment, rows, criteria, mechanism, fits)

    @property
    def places(self) -> dict[Place, list[Row]]:
        return by_place(self.experiment.rows)

    def at(self, place: Place) -> pd.DataFrame:
        """The rows that are drawn there; columns without any number are left out."""
        here = (self.rows[list(Place._fields)] == list(place)).all(axis="columns")
        return self.rows[here].dropna(axis="columns", how="all").reset_index(drop=True)

    def titled(self, place: Place, title: str) -> str:
        """The title with the place, where the experiment has several."""
        return f"{place}: {title}" if len(self.places) > 1 else title

    def uncached(self, place: Place) -> str | None:
        """The row that is the uncached run of the published weights, if there is one."""
        return next((row.name for row in self.places[place] if row.cell == row.base), None)

    def goal(self, place: Place) -> str | None:
        return next((row.goal for row in self.places[place]), None)


def read_criteria(file: Path) -> pd.DataFrame:
    """Verdicts as written by `fcr_core.tables.verdicts.criteria_table`."""
    return pd.read_csv(file).fillna({"metric": "", "against": ""})
