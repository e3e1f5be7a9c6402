"""A row of a table: a cell, its role, and what it is compared with. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from fcr_core.experiment.backbone_settings import BackboneSettings
from fcr_core.experiment.cell import BASE, Cell, Model, Setting
from fcr_core.experiment.config_error import ConfigError
from fcr_core.experiment.fine_tune import FineTune, lambda_recipe
from fcr_core.experiment.product import RowOfConfig, expanded
from fcr_core.experiment.sampler import Sampler

Role = Literal["plain", "cached", "control", "fcr", "reference"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Args:
        name: unique in its experiment.
        cell: what is drawn and measured.
        role: plain solver, cached run of the published weights, control, FCR, or reference line.
        twin: the uncached cell of the same weights that its images are compared with.
        base: the uncached cell of the backbone as published.
        goal: the row whose quality it should keep; None if the experiment has none on its backbone and setting.
        control: the same fine-tune without the FCR term, sampled alike; None if there is none.
    """

    name: str
    cell: Cell
    role: Role
    twin: Cell
    base: Cell
    goal: str | None = None
    control: str | None = None

    @classmethod
    def from_config(cls, given: RowOfConfig, config: Mapping[str, Any]) -> Row:
        """The row, still without rivals. Raises `ConfigError` for a recipe or a sampler that makes no sense."""
        fields = given.fields
        backbone = BackboneSettings.from_config(config, fields["backbone"])
        defaults = backbone.sampling(config)
        sampler = sampler_of(given, defaults)
        solver: dict[str, Any] = {key: fields[key] for key in ("scheduler", "steps", "guidance") if key in fields}
        model, setting = model_of(given, config, backbone), Setting(fields["dataset"], fields["scenario"])
        base = Cell(model.base, Sampler.from_config({}, defaults), setting)
        # A plain solver is compared with the uncached run at the default steps, a cached run with its own solver's.
        twin = Cell(model.uncached, Sampler.from_config(solver, defaults) if sampler.cached else base.sampler, setting)
        name = fields.get("name") or "-".join(filter(None, [model.label, sampler.name]))
        return cls(name, Cell(model, sampler, setting), fields.get("role") or role_of(model, sampler, config), twin, base)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Row:
        """Read what `json` wrote."""
        return cls(**{**fields, **{key: Cell.from_json(fields[key]) for key in ("cell", "twin", "base")}})

    @property
    def json(self) -> dict[str, Any]:
        cells = {key: getattr(self, key).json for key in ("cell", "twin", "base")}
        return {"name": self.name, "role": self.role, "goal": self.goal, "control": self.control} | cells

    @property
    def cached(self) -> bool:
        return self.cell.sampler.cached


def sampler_of(given: RowOfConfig, defaults: Mapping[str, Any]) -> Sampler:
    """The sampler of a row; `defaults` as `Sampler.from_config` takes them. Raises `ConfigError` for one that makes no sense."""
    try:
        return Sampler.from_config(given.fields, defaults)
    except ValueError as error:
        raise ConfigError(f"config key {given.path}: {error}") from None


def model_of(given: RowOfConfig, config: Mapping[str, Any], backbone: BackboneSettings) -> Model:
    """The weights of a row: `recipe` names a fine-tune, `lam` the plan's fine-tune at this λ, neither the published ones."""
    fields = given.fields
    lam, recipe = fields.get("lam"), fields.get("recipe", BASE)
    if lam is None and recipe == BASE:
        return Model(backbone.name)
    if lam is not None and recipe != BASE:
        raise ConfigError(f"config key {given.path}: give either lam or recipe, not both")
    if lam is None and recipe not in config["recipes"]:
        raise ConfigError(f"config key {given.key('recipe')} = {recipe!r}: must be a name from recipes, base or all")
    train = fields.get("train", backbone.train)
    tune = fine_tune_of(config, Model(backbone.name, recipe, train, lam))
    label = tune.label if train == backbone.train else f"{tune.label}@{train}"
    return Model(backbone.name, tune.name, train, lam, label, tune.own_decoder)


def fine_tune_of(config: Mapping[str, Any], model: Model) -> FineTune:
    """The fine-tune behind a model that is not as published."""
    assert model.recipe is not None
    if model.lam is not None:
        return FineTune.of_lambda(config, model.lam, model.backbone)
    return FineTune.of_recipe(config, model.recipe, model.backbone)


def role_of(model: Model, sampler: Sampler, config: Mapping[str, Any]) -> Role:
    """The role of a row that states none: a fine-tune without any term but denoising is a control."""
    if model.recipe is None:
        return "cached" if sampler.cached else "plain"
    fields = fine_tune_of(config, model).recipe
    return "fcr" if any(fields.get(term) for term in ("lam", "decoding", "preserve")) else "control"


def given_rows(config: Mapping[str, Any], experiment: str) -> list[RowOfConfig]:
    """The rows of an experiment as the configuration writes them, every product of lists multiplied out, setting by setting."""
    fields = config["experiments"][experiment]
    axes = {"backbone": fields["backbones"], "dataset": fields["datasets"], "scenario": fields["scenarios"]}
    given: list[RowOfConfig] = []
    for index, row in enumerate(fields["rows"]):
        given += expanded(axes | ({} if row == "uncached" else row), f"experiments.{experiment}.rows[{index}]", config)
    place = {axis: {value: i for i, value in enumerate(values)} for axis, values in axes.items()}
    return sorted(given, key=lambda row: [place[axis].get(row.fields[axis], len(place[axis])) for axis in axes])


def rows_of(config: Mapping[str, Any], experiment: str) -> list[Row]:
    """The rows of an experiment; of equal ones the first."""
    rows = list({row.cell: row for given in given_rows(config, experiment) for row in [Row.from_config(given, config)]}.values())
    fields = config["experiments"][experiment]
    return list(with_rivals(with_places(rows), fields.get("goal"), fields.get("control")))


def with_places(rows: list[Row]) -> list[Row]:
    """Names that say the backbone, data set and scenario, where the experiment has several: `sd21-FD-5 on noto, fgsm`."""
    backbones, datasets, scenarios = (
        len({place(row) for row in rows}) > 1
        for place in (
            lambda row: row.cell.model.backbone,
            lambda row: row.cell.setting.dataset,
            lambda row: row.cell.setting.scenario,
        )
    )
    named = []
    for row in rows:
        setting = row.cell.setting
        where = ", ".join([setting.dataset] * datasets + [setting.scenario] * scenarios)
        name = f"{row.cell.model.backbone}-{row.name}" if backbones else row.name
        named.append(replace(row, name=f"{name} on {where}" if where else name))
    return named


def with_rivals(rows: list[Row], goal: str | None, control: str | None) -> Iterable[Row]:
    """Each row with its goal, a sampler of the published weights, and its control, a recipe, where the experiment has them.

    The control of the plan's fine-tunes is the one with λ = 0.
    """
    places: dict[Any, str] = {
        (r.cell.model.backbone, r.cell.model.recipe, r.cell.sampler.name, r.cell.setting): r.name for r in rows
    }
    for row in rows:
        model, sampler, setting = row.cell.model, row.cell.sampler, row.cell.setting
        rival = control if model.lam is None else lambda_recipe(0)
        found = places.get((model.backbone, rival, sampler.name, setting)) if rival and model.recipe else None
        yield replace(row, goal=places.get((model.backbone, None, goal, setting)), control=found)
