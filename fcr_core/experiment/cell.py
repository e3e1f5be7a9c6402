"""A cell: a model sampled in one way on one setting. Everything that the DAG draws, measures and compares is one. No torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from fcr_core.experiment.sampler import Sampler

BASE = "base"


@dataclass(frozen=True)
class Model:
    """Weights: a backbone of the configuration, as published or fine-tuned by a recipe on a training set.

    Args:
        backbone: a name from the section `backbones`.
        recipe: a fine-tune's name; None = as published.
        train: the data set that it was fine-tuned on.
        lam: λ, if it is one of the plan's fine-tunes, which have no entry in `recipes`.
        label: how rows name it: `FCR(0.10)`, or "" for a model as published.
        own_decoder: the fine-tune is a reuse decoder: at key steps, and uncached, the model is the base model.
    """

    backbone: str
    recipe: str | None = None
    train: str | None = None
    lam: float | None = None
    label: str = ""
    own_decoder: bool = False

    @property
    def name(self) -> str:
        """`base`, or recipe and training set: `lambda0.10@twemoji`."""
        return f"{self.recipe}@{self.train}" if self.recipe else BASE

    @property
    def path(self) -> str:
        return f"{self.backbone}/{self.name}"

    @property
    def base(self) -> Model:
        """The backbone as published."""
        return Model(self.backbone)

    @property
    def uncached(self) -> Model:
        """The model that an uncached run of these weights is a run of."""
        return self.base if self.own_decoder else self


@dataclass(frozen=True)
class Setting:
    """The prompts of a data set, under a scenario (`fcr_core.experiment.scenario`)."""

    dataset: str
    scenario: str = "clean"

    @property
    def path(self) -> str:
        return f"{self.dataset}/{self.scenario}"


@dataclass(frozen=True)
class Cell:
    """A model, a sampler and a setting. Its files lie under `path` below one folder for each kind of result."""

    model: Model
    sampler: Sampler
    setting: Setting

    @property
    def path(self) -> str:
        """`{backbone}/{model}/{sampler}/{dataset}/{scenario}`"""
        return f"{self.model.path}/{self.sampler.name}/{self.setting.path}"

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Cell:
        """Read what `json` wrote."""
        return cls(Model(**fields["model"]), Sampler.from_json(fields["sampler"]), Setting(**fields["setting"]))

    @property
    def json(self) -> dict[str, Any]:
        return {"model": asdict(self.model), "sampler": self.sampler.json, "setting": asdict(self.setting)}
