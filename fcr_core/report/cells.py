"""A table of the page: cells with what they sort by and where they come from."""

from __future__ import annotations

from dataclasses import dataclass

from fcr_core.report.results import kind_of


@dataclass(frozen=True)
class Cell:
    """`order`: what a column is sorted by; `tip`: n and files, shown on hover and focus; `kind`: colour of a row's name."""

    text: str
    order: float | str = ""
    tip: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Table:
    """The first cell of each row names it."""

    headings: list[str]
    rows: list[list[Cell]]


def name_cell(name: str) -> Cell:
    """The name of a variation in its colour."""
    return Cell(name, name, kind=kind_of(name))
