"""Verdicts by the name that an experiment gives as its `criteria`, and the stopping rule that follows from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from fcr_core.experiment.experiment import Experiment
from fcr_core.experiment.row import Row
from fcr_core.metrics.metric import Role
from fcr_core.tables import plan_verdicts, recipe_verdicts, twice_as_fast
from fcr_core.tables.criteria import VERDICT_COLUMNS, Compared
from fcr_core.tables.measured import Measured
from fcr_core.tables.metric_roles import FRECHET, KID


@dataclass(frozen=True)
class Criteria:
    """A choice of rows, and the criteria that they are judged by.

    Args:
        title: for people.
        is_judged: says of a row if it is judged.
        verdicts: takes the row, its goal and everything that was measured.
        needs: what an experiment has to have, as `Experiment.lacks` takes it.
        roles: quantities that metrics of sets have to measure.
        deltas: Δ at which σ²_Δ has to be measured.
    """

    title: str
    is_judged: Callable[[Row], bool]
    verdicts: Callable[[Row, Row, Measured], Iterator[Compared]]
    needs: tuple[str, ...]
    roles: tuple[Role, ...] = ()
    deltas: Sequence[int] = ()


CRITERIA = {
    "plan": Criteria(
        "The plan's criteria",
        plan_verdicts.is_judged,
        plan_verdicts.verdicts,
        ("cost", "sets", "image_text", "variance"),
        (FRECHET.name,),
        plan_verdicts.DELTAS,
    ),
    "recipe": Criteria(
        "What a recipe has to meet",
        recipe_verdicts.is_judged,
        recipe_verdicts.verdicts,
        ("cost", "sets", "image_text", "pairs"),
        (FRECHET.name, KID.name),
    ),
    "twice_as_fast": Criteria("Twice as fast, and as close", twice_as_fast.is_judged, twice_as_fast.verdicts, ("cost", "pairs")),
}


def criteria_table(measured: Measured) -> pd.DataFrame:
    """One line a judged row and criterion; none if the experiment has no criteria, or a row no goal."""
    experiment = measured.experiment
    criteria = CRITERIA[experiment.criteria] if experiment.criteria else None
    lines = [
        {"variation": row.name} | compared.row()
        for row in experiment.rows
        if criteria and criteria.is_judged(row) and (goal := measured.goal_of(row))
        for compared in criteria.verdicts(row, goal, measured)
    ]
    return pd.DataFrame(lines, columns=VERDICT_COLUMNS)


def preserving(criteria: pd.DataFrame) -> list[str]:
    """The stopping rule: names of the judged rows for which no criterion of quality is "not met"."""
    failed = criteria[criteria["asked"] & (criteria["kind"] == "quality") & (criteria["verdict"] == "not met")]["variation"]
    return [str(name) for name in criteria["variation"].unique() if name not in set(failed)]


def preserving_rows(experiment: Experiment, criteria: pd.DataFrame) -> list[Row]:
    """The rows that the stopping rule keeps, beside their goals and the uncached runs that they stand for."""
    kept = [experiment.by_name[name] for name in preserving(criteria)]
    goals = {row.goal for row in kept} or {row.goal for row in experiment.rows}
    names = {row.name for row in kept} | goals
    return [row for row in experiment.rows if row.name in names or row.cell == row.base]


def meeting_all(criteria: pd.DataFrame) -> list[str]:
    """Names of the rows that meet everything that is asked."""
    asked = criteria[criteria["asked"]]
    return [str(name) for name, rows in asked.groupby("variation", sort=False) if (rows["verdict"] == "met").all()]
