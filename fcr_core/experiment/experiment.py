"""An experiment: a list of rows, and what is measured and made of them. No torch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from fcr_core.experiment.cell import Cell, Model, Setting
from fcr_core.experiment.row import Row, rows_of

MEASURES = ("sets", "image_text", "pairs", "variance")


@dataclass(frozen=True)
class Cost:
    """How the cost of an experiment's samplers is measured.

    Args:
        batches: images a call.
        repeats: interleaved rounds that count.
        sizes: sides of images in pixels beside the backbone's own.
        shown: the batch that figures show.
    """

    batches: tuple[int, ...]
    repeats: int
    sizes: tuple[int, ...]
    shown: int

    @classmethod
    def from_config(cls, given: Mapping[str, Any]) -> Cost:
        batches = tuple(given["batches"])
        return cls(batches, given["repeats"], tuple(given.get("sizes", ())), given.get("shown", batches[0]))


@dataclass(frozen=True)
class Mechanism:
    """How an experiment asks whether σ²_Δ predicts the quality lost.

    Args:
        sampler: the sampler at which fine-tunes are compared.
        delta: the Δ that figures show, in training timesteps.
    """

    sampler: str
    delta: int


@dataclass(frozen=True)
class Experiment:
    """Rows, and what is made of them.

    Args:
        name: of its files: `results/{name}_table.csv`.
        title: for people.
        rows: in the order of the table.
        goal: the sampler of the published weights whose quality the rows should keep; None = differences are not taken.
        control: the recipe that the other recipes are compared with; None = there is none.
        seeds: of noise and, for fine-tunes, of training.
        measures: which of `MEASURES` are taken.
        criteria: which verdicts are made, a name from `fcr_core.tables.verdicts`; None = none.
        figures: names of figures.
        cost: how cost is measured; None = it is not.
        prompts: the first so many prompts of each data set; None = all that are chosen.
        mechanism: None = σ²_Δ is not compared with quality.
        twin_prompts: prompts on which a fine-tuned model is also sampled uncached.
    """

    name: str
    title: str
    rows: tuple[Row, ...]
    goal: str | None
    control: str | None
    seeds: tuple[int, ...]
    measures: tuple[str, ...]
    criteria: str | None
    figures: tuple[str, ...]
    cost: Cost | None
    mechanism: Mechanism | None
    prompts: int | None
    twin_prompts: int

    @classmethod
    def from_config(cls, config: Mapping[str, Any], name: str) -> Experiment:
        """The experiment of the section `experiments`. Raises `ConfigError` for a row that makes no sense."""
        given = config["experiments"][name]
        rows, prompts = tuple(rows_of(config, name)), given.get("prompts")
        return cls(
            name,
            given.get("title", name),
            rows,
            given.get("goal"),
            given.get("control"),
            tuple(given.get("seeds", config["seeds"])),
            tuple(given.get("measures", MEASURES)),
            given.get("criteria"),
            tuple(given.get("figures", ("tradeoff", "samples"))),
            Cost.from_config(given["cost"]) if given.get("cost") else None,
            Mechanism(**given["mechanism"]) if given.get("mechanism") else None,
            prompts,
            given.get("twin_prompts") or prompts or config["sampling"]["twin_prompts"],
        )

    @classmethod
    def read(cls, file: Path) -> Experiment:
        """Read what holds `json`."""
        given = {key: as_tuple(value) for key, value in json.loads(file.read_text()).items()}
        cost = given["cost"] and Cost(**{key: as_tuple(value) for key, value in given["cost"].items()})
        mechanism = given["mechanism"] and Mechanism(**given["mechanism"])
        rows = tuple(map(Row.from_json, given["rows"]))
        return cls(**given | {"rows": rows, "cost": cost, "mechanism": mechanism})

    @property
    def json(self) -> str:
        """Everything, for the file that the scripts of its rules read."""
        content = {field.name: getattr(self, field.name) for field in fields(self)}
        content |= {"rows": [row.json for row in self.rows], "cost": as_dict(self.cost)}
        content["mechanism"] = as_dict(self.mechanism)
        return json.dumps(content, indent=1, ensure_ascii=False)

    @property
    def by_name(self) -> dict[str, Row]:
        return {row.name: row for row in self.rows}

    @property
    def backbones(self) -> list[str]:
        return distinct(row.cell.model.backbone for row in self.rows)

    @property
    def settings(self) -> list[Setting]:
        return distinct(row.cell.setting for row in self.rows)

    @property
    def models(self) -> list[Model]:
        return distinct(row.cell.model for row in self.rows)

    @property
    def twins(self) -> list[Cell]:
        """The cells that are drawn beside the rows, to compare with."""
        own = {row.cell for row in self.rows}
        return distinct(cell for row in self.rows for cell in (row.twin, row.base) if cell not in own)

    def lacks(self, needs: Iterable[str]) -> list[str]:
        """Those of `needs`, entries of `MEASURES` or names of fields, that the experiment does not have."""
        given = {key for key in ("goal", "criteria", "cost", "mechanism") if getattr(self, key)} | {*self.measures}
        return [need for need in needs if need not in given]

    def of_backbone(self, backbone: str) -> list[Row]:
        """Rows in the order of the table."""
        return [row for row in self.rows if row.cell.model.backbone == backbone]


def as_dict(value: Any) -> dict[str, Any] | None:
    return asdict(value) if value else None


def as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def distinct(values: Iterable[Any]) -> list[Any]:
    """Each value once, in the order of appearance."""
    return list(dict.fromkeys(values))


def experiments_of(config: Mapping[str, Any]) -> dict[str, Experiment]:
    """All experiments by name, but for those that another configuration file has set to null."""
    return {name: Experiment.from_config(config, name) for name, given in config["experiments"].items() if given}
