"""Places are where rows are drawn: experiments with several backbones, data sets or scenarios are shown place by place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from fcr_core.experiment.row import Row


class Place(NamedTuple):
    """A backbone, a data set and a scenario: rows that share them can be compared.

    >>> str(Place("pocket", "twemoji", "clean"))
    'pocket on twemoji, clean'
    """

    backbone: str
    dataset: str
    scenario: str

    def __str__(self) -> str:
        return f"{self.backbone} on {self.dataset}, {self.scenario}"


def place_of(row: Row) -> Place:
    setting = row.cell.setting
    return Place(row.cell.model.backbone, setting.dataset, setting.scenario)


def by_place(rows: Iterable[Row]) -> dict[Place, list[Row]]:
    """Rows in their order, place by place."""
    places: dict[Place, list[Row]] = {}
    for row in rows:
        places.setdefault(place_of(row), []).append(row)
    return places


def model_label(row: Row) -> str:
    """Name the weights of a row: `base`, or the label of its fine-tune."""
    return row.cell.model.label or row.cell.model.name
