"""Which of a table's metrics carry its criteria of quality: one Fréchet distance, one KID and one image-text score."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fcr_core.metrics.registry import key_of, label


@dataclass(frozen=True)
class Role:
    """What a criterion asks for, and the formulas that may stand for it; `setting` is the config key that chooses one."""

    name: str
    keys: tuple[str, ...]
    setting: str

    def measured(self, columns: Iterable[str]) -> list[str]:
        """The first of `columns` that has the role, if there is one."""
        return [column for column in columns if key_of(column) in self.keys][:1]

    def column(self, columns: Iterable[str]) -> str:
        """The first of `columns` that has the role.

        >>> FRECHET.column(["kid_effnet", "frechet_pca64_effnet"])
        'frechet_pca64_effnet'

        ValueError if there is none.
        """
        if found := self.measured(columns):
            return found[0]
        raise ValueError(f"no {self.name} was measured: config key {self.setting} must choose one of {', '.join(self.keys)}")

    def title(self, columns: Iterable[str]) -> str:
        """Of that column, with its network: `Fréchet PCA-64 (EfficientNet-lite0)`."""
        return label(self.column(columns))


FRECHET = Role("Fréchet distance", ("frechet", "frechet_pca64"), "metrics.sets")
KID = Role("KID", ("kid",), "metrics.sets")
IMAGE_TEXT = Role("image-text score", ("lit_score", "clip_score"), "metrics.image_text")
