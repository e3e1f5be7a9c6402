"""The first screen: a sentence, and a grid of criteria by variations with their verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fcr_core.experiment.row import Row
from fcr_core.report.evidence import Evidence
from fcr_core.report.numbers import number, percent
from fcr_core.report.provenance import Provenance
from fcr_core.tables.verdicts import CRITERIA

VERDICTS = {"met": "✓", "not met": "✕", "inconclusive": "?"}
MOST_NAMES = 6
# Beyond so many variations the grid is turned: criteria side by side, variations one below the other.
MOST_COLUMNS = 16


@dataclass(frozen=True)
class Judged:
    """One verdict: measured value with its one-sided 95 % bounds, and the plain solver it is against, if any."""

    verdict: str
    value: str
    bounds: str
    rival: str
    tip: str


@dataclass(frozen=True)
class Line:
    """One criterion: `cells` has one entry a column; `asked` is False for what is reported beside."""

    criterion: str
    limit: str
    asked: bool
    cells: list[Judged | None]


@dataclass(frozen=True)
class Grid:
    """`columns`: name, kind and tally of each variation."""

    title: str
    headline: str
    columns: Sequence[tuple[str, str, str]]
    lines: list[Line]

    @property
    def turned(self) -> bool:
        return len(self.columns) > MOST_COLUMNS


def headline(criteria: pd.DataFrame, controls: Iterable[str] = ()) -> str:
    """Who meets all criteria, or who comes closest and how far that is; controls are no candidates.

    >>> rows = [("FCR(0)-FD-10", "met"), ("FCR(0.10)-FD-10", "met"), ("FCR(0.10)-FD-10", "inconclusive")]
    >>> headline(pd.DataFrame(rows, columns=["variation", "verdict"]).assign(asked=True), ["FCR(0)-FD-10"])
    'FCR(0.10)-FD-10 meets 1 of 2 criteria; 0 not met, 1 inconclusive.'
    """
    tallies, out = tallied(criteria), set(controls)
    candidates = {name: tally for name, tally in tallies.items() if name not in out} or tallies
    total = max(sum(tally) for tally in candidates.values())
    whole = [name for name, (met, *_) in candidates.items() if met == total]
    if whole:
        return f"{listed(whole)} {'meets' if len(whole) == 1 else 'meet'} all {total} criteria."
    best = max(candidates.values(), key=lambda tally: (tally[0], -tally[1]))
    names = [name for name, tally in candidates.items() if tally == best]
    rest = f"{best[1]} not met, {best[2]} inconclusive."
    if len(candidates) == 1:
        return f"{names[0]} meets {best[0]} of {total} criteria; {rest}"
    come = "comes closest:" if len(names) == 1 else "come closest, each with"
    return f"No row meets all {total} criteria; {listed(names)} {come} {best[0]} met, {rest}"


def tallied(criteria: pd.DataFrame) -> dict[str, tuple[int, ...]]:
    """How many of what is asked for each row has met, not met and left inconclusive."""
    asked = criteria[criteria["asked"]]
    counts = {name: table["verdict"].value_counts() for name, table in asked.groupby("variation", sort=False)}
    return {str(name): tuple(int(count.get(verdict, 0)) for verdict in VERDICTS) for name, count in counts.items()}


def listed(names: list[str]) -> str:
    """As in a sentence; of many names the first few.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    names = names if len(names) <= MOST_NAMES else [*names[: MOST_NAMES - 1], f"{len(names) - MOST_NAMES + 1} others"]
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def verdict_grid(evidence: Evidence, provenance: Provenance) -> Grid:
    """The verdicts of an experiment; what is asked for first."""
    criteria, by_name = evidence.results.criteria, evidence.experiment.by_name
    names = list(dict.fromkeys(criteria["variation"]))
    lines: dict[str, Line] = {}
    for verdict in criteria.to_dict("records"):
        blank: list[Judged | None] = [None] * len(names)
        line = Line(short(verdict["criterion"]), limit_of(verdict), verdict["asked"], blank)
        cells = lines.setdefault(verdict["criterion"], line).cells
        cells[names.index(verdict["variation"])] = judged(verdict, by_name[verdict["variation"]], evidence, provenance)
    ordered = sorted(lines.values(), key=lambda line: not line.asked)
    columns = [(name, by_name[name].role, f"{tally[0]} of {sum(tally)} met") for name, tally in tallied(criteria).items()]
    controls = [row.name for row in evidence.experiment.rows if row.role == "control"]
    return Grid(CRITERIA[str(evidence.experiment.criteria)].title, headline(criteria, controls), columns, ordered)


def short(criterion: str) -> str:
    """Without what the cells' units say themselves."""
    return criterion.removesuffix(", relative change").removesuffix(", difference")


def formatted(unit: str, value: float) -> str:
    """In the criterion's unit: % for a relative change, a factor for a speed-up, a plain difference otherwise."""
    if unit == "relative change":
        return percent(value)
    if unit == "factor":
        return f"{number(value, 2)}x"
    return f"{value:+.2g}".replace("-", "−") if value else "0"


def limit_of(verdict: dict[str, Any]) -> str:
    r"""The claim in the criterion's unit.

    >>> limit_of({"unit": "relative change", "claim": "at most 0.02"})
    'at most +2.0\xa0%'
    """
    direction, value = verdict["claim"].rsplit(" ", 1)
    return f"{direction} {formatted(verdict['unit'], float(value))}"


def judged(verdict: dict[str, Any], row: Row, evidence: Evidence, provenance: Provenance) -> Judged:
    """One cell of the grid; it names what the row is against where that is not its goal."""
    unit, against = verdict["unit"], verdict["against"]
    value, low, high = (formatted(unit, verdict[key]) for key in ("value", "lower_bound", "upper_bound"))
    tip = f"{row.name} against {against}: {verdict['verdict']}, {limit_of(verdict)}\n"
    tip += f"two-sided 95 %: {formatted(unit, verdict['low'])} to {formatted(unit, verdict['high'])}\n"
    tip += f"{provenance.of_criterion(verdict)}\n{evidence.table('criteria.csv')}"
    rival = "" if against == row.goal else against
    return Judged(verdict["verdict"], value, "" if low == high else f"{low} to {high}", rival, tip)
