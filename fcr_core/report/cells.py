"""A table of the page: cells with what they sort by and where they come from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """`order`: what a column is sorted by; `tip`: n and files, shown on hover and focus; `kind`: role, the colour of a name."""

    text: str
    order: float | str = ""
    tip: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Table:
    """The first cell of each row names it."""

    headings: list[str]
    rows: list[list[Cell]]


def name_cell(name: str, role: str = "") -> Cell:
    """A name in the colour of its role."""
    return Cell(name, name, kind=role)
