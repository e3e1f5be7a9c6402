"""The metrics that carry the criteria of quality: one Fréchet distance, one KID and one image-text score."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fcr_core.metrics import metric
from fcr_core.metrics.registry import METRICS
from fcr_core.tables.metric_columns import key_of, label


@dataclass(frozen=True)
class Role:
    """A quantity that a criterion asks for; `setting` is the config key that chooses what measures it."""

    name: metric.Role
    setting: str

    @property
    def keys(self) -> list[str]:
        """The formulas that may stand for it: those that say so."""
        return [key for key, formula in METRICS.items() if formula.role == self.name]

    def measured(self, columns: Iterable[str]) -> list[str]:
        """List the first of `columns` that has the role, if there is one."""
        return [column for column in columns if key_of(column) in self.keys][:1]

    def column(self, columns: Iterable[str]) -> str:
        """Find the first of `columns` that has the role.

        >>> FRECHET.column(["kid_effnet", "frechet_pca64_effnet"])
        'frechet_pca64_effnet'

        Raises `ValueError` if there is none.
        """
        if found := self.measured(columns):
            return found[0]
        raise ValueError(f"no {self.name} was measured: config key {self.setting} must choose one of {', '.join(self.keys)}")

    def title(self, columns: Iterable[str]) -> str:
        """Write that column's metric and network: `Fréchet PCA-64 (EfficientNet-lite0)`."""
        return label(self.column(columns))


FRECHET = Role("Fréchet distance", "metrics.sets")
KID = Role("KID", "metrics.sets")
IMAGE_TEXT = Role("image-text score", "metrics.image_text")
