"""Everything that was measured for an experiment: what tables, verdicts and pages are made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from fcr_core.experiment.experiment import Experiment
from fcr_core.experiment.paths import Paths
from fcr_core.experiment.row import Row
from fcr_core.tables.cost import Cost
from fcr_core.tables.decoder_bytes import decoder_bytes
from fcr_core.tables.measurements import Measurements, read_measurements


@dataclass(frozen=True)
class Measured:
    """The rows of an experiment with their measurements.

    Args:
        arms: by row.
        costs: by backbone; none if cost was not measured.
        real: by backbone and data set, what real images score: the floor of a distance, the value of a score.
        decoder_bytes: by row, the size of its own reuse decoder.
    """

    experiment: Experiment
    arms: dict[str, Measurements]
    costs: dict[str, Cost] = field(default_factory=dict)
    real: dict[tuple[str, str], pd.Series] = field(default_factory=dict)
    decoder_bytes: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, experiment: Experiment, paths: Paths, sets: Iterable[str], sizes: Mapping[str, int]) -> Measured:
        """Read the files below `paths`; `sizes` are the sides of images by backbone."""
        costs = {b: Cost(pd.read_parquet(paths.cost(b, experiment.name))) for b in experiment.backbones if experiment.cost}
        scored = {file: pd.read_parquet(file).groupby("metric")["value"].mean() for file in paths.reals(experiment, sizes)}
        places = {(row.cell.model.backbone, row.cell.setting.dataset) for row in experiment.rows} if scored else set()
        real = {(backbone, dataset): scored[paths.real(dataset, sizes[backbone])] for backbone, dataset in places}
        decoders = {
            name: decoder_bytes(Path(file), cut_of(experiment.by_name[name])) for name, file in paths.decoders(experiment).items()
        }
        return cls(experiment, read_measurements(experiment, paths, sets), costs, real, decoders)

    def cost_of(self, row: Row) -> Cost | None:
        return self.costs.get(row.cell.model.backbone)

    def real_of(self, row: Row) -> pd.Series:
        return self.real.get((row.cell.model.backbone, row.cell.setting.dataset), pd.Series(dtype=float))

    def goal_of(self, row: Row) -> Row | None:
        return self.experiment.by_name[row.goal] if row.goal else None


def cut_of(row: Row) -> int:
    return row.cell.sampler.plan.cut if row.cell.sampler.plan else 0
