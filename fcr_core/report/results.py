"""What a report is made of: the rows with their files and measurements, and the tables made from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from fcr_core.experiment.rows import Variation
from fcr_core.figures.tradeoff import CACHED, CONTROL, FCR, colour_of
from fcr_core.tables.exp1 import Measurements, read_rows

# What the colours of `fcr_core.figures.tradeoff` stand for; a page has two themes, so it names kinds and not colours.
KINDS = {CACHED: "cached", CONTROL: "control", FCR: "fcr"}


@dataclass(frozen=True)
class Ablations:
    """The tables of `fcr_core.tables.ablation`, the sampler that they are compared at, and the cells behind them by recipe."""

    table: pd.DataFrame
    mechanism: pd.DataFrame
    fits: pd.DataFrame
    cells: dict[str, list[str]]
    files: dict[str, str]


@dataclass(frozen=True)
class Results:
    """`rows`: dicts with `variation`, `files` of measurements, manifests of `samples` and of their uncached `twins`, `weights`.

    `models`: the weights' name of each row, `base` for the base model. `criteria`: verdicts by heading. `files`: where each table
    was read from, by its name here and by those headings. `more`: the command that makes what this page leaves out.
    """

    title: str
    goal: str
    uncached: str
    rows: list[dict[str, Any]]
    models: dict[str, str]
    table: pd.DataFrame
    criteria: dict[str, pd.DataFrame]
    efficiency: pd.DataFrame
    real: pd.DataFrame
    data: Path
    files: dict[str, str]
    more: str
    ablations: Ablations | None = None

    @cached_property
    def _read(self) -> tuple[dict[str, Variation], dict[str, Measurements]]:
        return read_rows(self.rows)

    @property
    def variations(self) -> dict[str, Variation]:
        return self._read[0]

    @property
    def measured(self) -> dict[str, Measurements]:
        return self._read[1]

    @property
    def batches(self) -> list[int]:
        """Images a launch at which cost was measured, smallest first."""
        return sorted(int(batch) for batch in self.efficiency["batch"].unique())


def kind_of(name: str) -> str:
    """plain, cached, control or fcr: the colour of a row."""
    return KINDS.get(colour_of(name), "plain")
