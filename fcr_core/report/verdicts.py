"""The first screen: a sentence, and a grid of criteria by variations with their verdicts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fcr_core.report.numbers import number, percent
from fcr_core.report.provenance import Provenance
from fcr_core.report.results import Results, kind_of

VERDICTS = {"met": "✓", "not met": "✕", "inconclusive": "?"}
# "..., less DDIM's (DDIM-15)": each row has a rival of its own, so the grid's line is named without it.
RIVAL = re.compile(r"(?P<line>.* less .*'s) \((?P<rival>.+)\)")


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
    columns: list[tuple[str, str, str]]
    lines: list[Line]


def headline(criteria: pd.DataFrame) -> str:
    """Who meets all criteria, or who comes closest and how far that is; controls are no candidates.

    >>> rows = [("FCR(0)-FD-10", "met"), ("FCR(0.10)-FD-10", "met"), ("FCR(0.10)-FD-10", "inconclusive")]
    >>> headline(pd.DataFrame(rows, columns=["variation", "verdict"]))
    'FCR(0.10)-FD-10 meets 1 of 2 criteria; 0 not met, 1 inconclusive.'
    """
    tallies = tallied(criteria)
    candidates = {name: tally for name, tally in tallies.items() if kind_of(name) != "control"} or tallies
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
    counts = {name: table["verdict"].value_counts() for name, table in asked_of(criteria).groupby("variation", sort=False)}
    return {str(name): tuple(int(count.get(verdict, 0)) for verdict in VERDICTS) for name, count in counts.items()}


def asked_of(criteria: pd.DataFrame) -> pd.DataFrame:
    """What a row has to meet: everything, unless the table says which."""
    return criteria[criteria["asked"]] if "asked" in criteria else criteria


def listed(names: list[str]) -> str:
    """As in a sentence.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def verdict_grid(title: str, results: Results, provenance: Provenance) -> Grid:
    """The verdicts of one table of criteria; what is asked for first."""
    criteria = results.criteria[title]
    names = list(dict.fromkeys(criteria["variation"]))
    lines: dict[str, Line] = {}
    for row in criteria.to_dict("records"):
        criterion, rival = parted(row["criterion"])
        blank: list[Judged | None] = [None] * len(names)
        line = Line(short(criterion), limit_of(row), row.get("asked", True), blank)
        cells = lines.setdefault(criterion, line).cells
        cells[names.index(row["variation"])] = judged(row, rival, results, provenance, results.files[title])
    ordered = sorted(lines.values(), key=lambda line: not line.asked)
    columns = [(name, kind_of(name), f"{tally[0]} of {sum(tally)} met") for name, tally in tallied(criteria).items()]
    return Grid(title, headline(criteria), columns, ordered)


def parted(criterion: str) -> tuple[str, str]:
    """The criterion without its rival, and the rival.

    >>> parted("latent MSE to the model's own uncached output, less DDIM's (DDIM-15)")
    ("latent MSE to the model's own uncached output, less DDIM's", 'DDIM-15')
    """
    found = RIVAL.fullmatch(criterion)
    return (found["line"], found["rival"]) if found else (criterion, "")


def short(criterion: str) -> str:
    """Without what the cells' units say themselves."""
    return criterion.removesuffix(", relative change").removesuffix(", difference")


def formatted(criterion: str, value: float) -> str:
    """In the criterion's unit: % for a relative change, a factor for a speed-up, a plain difference otherwise."""
    if criterion.endswith("relative change"):
        return percent(value)
    if criterion.startswith("speed-up"):
        return f"{number(value, 2)}x"
    return f"{value:+.2g}".replace("-", "−") if value else "0"


def limit_of(row: dict[str, Any]) -> str:
    r"""The claim in the criterion's unit.

    >>> limit_of({"criterion": "peak tensor memory, relative change", "claim": "at most 0.02"})
    'at most +2.0\xa0%'
    """
    direction, value = row["claim"].rsplit(" ", 1)
    return f"{direction} {formatted(row['criterion'], float(value))}"


def judged(row: dict[str, Any], rival: str, results: Results, provenance: Provenance, file: str) -> Judged:
    value, low, high = (formatted(row["criterion"], row[key]) for key in ("value", "lower_bound", "upper_bound"))
    against = rival or (results.uncached if row["criterion"].startswith("σ²_Δ") else results.goal)
    tip = f"{row['variation']} against {against}: {row['verdict']}, {limit_of(row)}\n"
    tip += f"two-sided 95 %: {formatted(row['criterion'], row['low'])} to {formatted(row['criterion'], row['high'])}\n"
    tip += f"{provenance.of_criterion(row['variation'], row['criterion'], row['metric'], against)}\n{file}"
    return Judged(row["verdict"], value, "" if low == high else f"{low} to {high}", rival, tip)
