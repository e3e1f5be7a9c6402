"""The material of a page: an experiment's tables, the measurements behind them, and the files of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fcr_core.experiment.experiment import Experiment
from fcr_core.experiment.paths import Paths
from fcr_core.experiment.row import Row
from fcr_core.tables.measured import Measured
from fcr_core.tables.measurements import VARIANCE
from fcr_core.tables.names import FIT, MECHANISM
from fcr_core.tables.results import Results


@dataclass(frozen=True)
class Evidence:
    """Everything that a page shows, or says where it is from.

    Args:
        sets: the metrics of sets of images that were measured.
        sizes: sides of images in pixels, by backbone.
    """

    results: Results
    measured: Measured
    paths: Paths
    sets: list[str]
    sizes: Mapping[str, int]

    @classmethod
    def read(cls, experiment: Experiment, paths: Paths, sets: list[str], sizes: Mapping[str, int]) -> Evidence:
        return cls(Results.read(experiment, paths), Measured.read(experiment, paths, sets, sizes), paths, sets, sizes)

    @property
    def experiment(self) -> Experiment:
        return self.results.experiment

    @property
    def rows(self) -> pd.DataFrame:
        return self.results.rows

    @property
    def batches(self) -> list[int]:
        """Images a call at which cost was measured, smallest first; none if it was not."""
        return sorted(self.experiment.cost.batches) if self.experiment.cost else []

    @property
    def metrics(self) -> list[str]:
        """All that was measured of images, in the order of the measurements."""
        return [metric for metric in self._measured if not metric.startswith(VARIANCE)]

    @property
    def variances(self) -> list[str]:
        return [metric for metric in self._measured if metric.startswith(VARIANCE)]

    @property
    def _measured(self) -> list[str]:
        return list(dict.fromkeys(metric for arm in self.measured.arms.values() for metric in arm.by_metric))

    @property
    def values(self) -> pd.DataFrame:
        """The rows by name."""
        return self.rows.set_index("variation")

    def role(self, name: str) -> str:
        return self.experiment.by_name[name].role

    def folders(self, row: Row) -> list[Path]:
        """Its samples, one folder a seed."""
        return [Path(self.paths.samples(row.cell, seed)) for seed in self.experiment.seeds]

    def twins(self, row: Row) -> list[Path]:
        """The samples of its uncached twin, one folder a seed."""
        return [Path(self.paths.samples(row.twin, seed)) for seed in self.experiment.seeds]

    def table(self, kind: str) -> str:
        return self.paths.table(self.experiment, kind)

    @property
    def files(self) -> list[str]:
        """The tables of the page."""
        kinds = ["table.csv", "measurements.csv", "criteria.csv", *([MECHANISM, FIT] if self.experiment.mechanism else [])]
        return [self.table(kind) for kind in kinds] + self.paths.costs(self.experiment)

    @property
    def about(self) -> list[tuple[str, Any]]:
        """Describe what was drawn, as (term, text)."""
        settings = self.experiment.settings
        return [
            ("backbones", ", ".join(f"{name}, {self.sizes[name]} px" for name in self.experiment.backbones)),
            ("data sets", ", ".join(dict.fromkeys(setting.dataset for setting in settings))),
            ("scenarios", ", ".join(dict.fromkeys(setting.scenario for setting in settings))),
        ]
