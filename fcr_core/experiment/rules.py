"""The checks of a configuration that its schema cannot make: names that must be known, and values that must fit one another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from fcr_core.backbones.registry import BACKBONES
from fcr_core.data.registry import DATASETS
from fcr_core.experiment.backbone_settings import BackboneSettings
from fcr_core.experiment.config_error import ConfigError, require
from fcr_core.experiment.experiment import Experiment, experiments_of
from fcr_core.experiment.fine_tune import FineTune
from fcr_core.experiment.row import Row, fine_tune_of
from fcr_core.experiment.sampler import SOLVERS
from fcr_core.features.registry import EXTRACTORS, IMAGE_TEXT_SPACES
from fcr_core.metrics.metric import metrics_of
from fcr_core.metrics.registry import SETS


def check_backbones(config: Mapping[str, Any]) -> None:
    """Backbones are registered, their folders are there, and their data sets are configured."""
    for name, entry in config["backbones"].items():
        like, at = entry.get("like", name), f"backbones.{name}"
        key = f"{at}.like" if "like" in entry else at
        require(key, like, like in BACKBONES, f"must be one of {sorted(BACKBONES)}; `like` names the registered one")
        for part in ("source", "adapter"):
            folder = entry.get(part)
            require(f"{at}.{part}", folder, folder is None or Path(folder).is_dir(), "no such folder")
        for part in ("train", "search"):
            dataset = entry.get(part, entry["train"])
            require(f"{at}.{part}", dataset, dataset in config["datasets"], f"add {dataset} to datasets")


def check_datasets(config: Mapping[str, Any]) -> None:
    """Data sets are registered, those of the user have files, and none has more prompts than there are."""
    searched = {BackboneSettings.from_config(config, name).search for name in config["backbones"]}
    for name, entry in config["datasets"].items():
        at = f"datasets.{name}"
        require(at, entry, name in DATASETS, f"must be one of {sorted(DATASETS)}")
        dataset = DATASETS[name]
        reads = dataset.reads != "package" or "source" not in entry
        require(f"{at}.source", entry.get("source"), reads, "it comes with a package and reads no files")
        has_source = dataset.reads != "files" or "source" in entry
        require(at, entry, has_source, f"set {at}.source to the files that docs/data.md names")
        require(at, entry, name != "laion" or "download" in entry, f"set {at}.download: which images, and how many")
        prompts = entry.get("prompts")
        if prompts is None or dataset.prompts is None:
            continue
        beside = config["key_search"]["prompts"] if name in searched else 0
        there = f"{name} has {dataset.prompts} held-out concepts" + f", and key_search takes {beside} others" * bool(beside)
        require(f"{at}.prompts", prompts, prompts + beside <= dataset.prompts, f"{there}: at most {dataset.prompts - beside}")


def check_metrics(section: Mapping[str, Any]) -> None:
    """Names are registered, and the extractor gives what the metrics of sets are computed from."""
    extractor, space = section["extractor"], section["image_text"]
    judges = sorted(name for name, network in EXTRACTORS.items() if "pool" in network.arrays)
    require("metrics.extractor", extractor, extractor in judges, f"must be one of {judges}")
    require("metrics.image_text", space, space in IMAGE_TEXT_SPACES, f"must be one of {list(IMAGE_TEXT_SPACES)}")
    for name, file in section.get("weights", {}).items():
        known = f"unknown key; allowed here: {', '.join(sorted(EXTRACTORS))}"
        require(f"metrics.weights.{name}", file, name in EXTRACTORS, known)
    for i, name in enumerate(section["sets"]):
        require(f"metrics.sets[{i}]", name, name in SETS, f"must be one of {list(SETS)}")
        metric = metrics_of(SETS[name])[0]
        able = [other for other, network in EXTRACTORS.items() if metric.needs in network.arrays]
        allowed = f"needs {metric.needs}, which metrics.extractor = {extractor!r} does not give: {' and '.join(able)} do"
        require(f"metrics.sets[{i}]", name, metric.in_image_text_space or extractor in able, allowed)


def check_sampling(config: Mapping[str, Any]) -> None:
    """The default solver is known, and shards are of whole batches."""
    sampling = config["sampling"]
    scheduler, shard, batch = sampling["scheduler"], sampling.get("shard"), sampling["batch"]
    require("sampling.scheduler", scheduler, scheduler in SOLVERS, f"must be one of {sorted(SOLVERS)}")
    require("sampling.shard", shard, not shard or shard % batch == 0, f"must be a multiple of sampling.batch = {batch}")
    for i, name in enumerate(config["run"]):
        require(f"run[{i}]", name, bool(config["experiments"].get(name)), "must be a name from experiments")


def check_places(config: Mapping[str, Any], name: str) -> None:
    """The backbones, data sets and scenarios of an experiment are configured, and its data sets can be evaluated."""
    experiment, at = config["experiments"][name], f"experiments.{name}"
    fields = {"backbone": "backbones", "dataset": "datasets", "scenario": "scenarios", "train": "datasets"}
    for field, section in fields.items():
        named = [(f"{at}.{section}[{i}]", value) for i, value in enumerate(experiment[section])]
        for index, row in enumerate(experiment["rows"]):
            own = row.get(field, []) if isinstance(row, dict) else []
            named += [(f"{at}.rows[{index}].{field}", value) for value in (own if isinstance(own, list) else [own])]
        for key, value in named:
            require(key, value, value in config[section], f"must be a name from {section}")
            if field == "dataset":
                require(
                    key, value, "prompts" in config["datasets"][value], f"set datasets.{value}.prompts: how many are evaluated"
                )
                require(key, value, DATASETS[value].has_images, "has prompts alone, and its images are needed: take another set")


def check_experiments(config: Mapping[str, Any]) -> None:
    """Every experiment holds what its rows are compared with, asks for no more prompts than there are, and trains what it can."""
    for name, experiment in experiments_of(config).items():
        control = experiment.control
        require(
            f"experiments.{name}.control", control, control is None or control in config["recipes"], "must be a name from recipes"
        )
        check_goal(experiment)
        for row in experiment.rows:
            check_searched(config, name, row)
        check_prompts(config, name, experiment)
        for model in experiment.models:
            if model.recipe is not None:
                tune = fine_tune_of(config, model)
                check_fine_tune(config, tune, BackboneSettings.from_config(config, model.backbone))


def check_goal(experiment: Experiment) -> None:
    """The goal is a row on every backbone and setting, since all differences and speed-ups are against it."""
    at, goal = f"experiments.{experiment.name}", experiment.goal
    for row in experiment.rows:
        where = f"{row.cell.model.backbone} and {row.cell.setting.path}"
        require(f"{at}.goal", goal, goal is None or row.goal is not None, f"add a row with this sampler on {where}")
    for backbone in experiment.backbones if experiment.cost else []:
        rows = experiment.of_backbone(backbone)
        base = any(row.cell.sampler == row.base.sampler for row in rows)
        require(f"{at}.rows", backbone, base, "add the row `uncached`: every speed-up is also against it")


def check_searched(config: Mapping[str, Any], name: str, row: Row) -> None:
    """Key steps are searched for on trajectories, which not every backbone has."""
    if row.cell.sampler.wants_keys:
        backbone = BackboneSettings.from_config(config, row.cell.model.backbone)
        able = prediction_type(backbone) == "epsilon" and backbone.registered.task == "text2image"
        allowed = f"a search needs trajectories, which {backbone.name} does not have: give a stride or the key steps themselves"
        require(f"experiments.{name}.rows", row.name, able, allowed)


class Needs(Protocol):
    """An entry of a registry that takes something of an experiment."""

    @property
    def needs(self) -> tuple[str, ...]: ...


def check_names(config: Mapping[str, Any], criteria: Mapping[str, Needs], figures: Mapping[str, Needs]) -> None:
    """The verdicts and figures of every experiment are among those that there are, and it has what they need."""
    for name, experiment in experiments_of(config).items():
        chosen = {f"figures[{i}]": (figure, figures) for i, figure in enumerate(experiment.figures)}
        chosen |= {"criteria": (experiment.criteria, criteria)} if experiment.criteria else {}
        for key, (choice, known) in chosen.items():
            at = f"experiments.{name}.{key}"
            require(at, choice, choice in known, f"must be one of {sorted(known)}")
            missing = experiment.lacks(known[choice].needs)
            require(at, choice, not missing, f"needs of the experiment: {', '.join(missing)}")


def check_prompts(config: Mapping[str, Any], name: str, experiment: Experiment) -> None:
    """Nothing takes more prompts than are chosen for evaluation: it would get fewer than it says."""
    at, given = f"experiments.{name}", config["experiments"][name]
    for setting in experiment.settings:
        there = config["datasets"][setting.dataset]["prompts"]
        asked = {f"{at}.prompts": given.get("prompts", 0), f"{at}.twin_prompts": given.get("twin_prompts", 0)}
        asked |= {"sampling.twin_prompts": config["sampling"]["twin_prompts"]}
        if "variance" in experiment.measures:
            asked |= {"metrics.variance_images": config["metrics"]["variance_images"]}
        if experiment.cost:
            asked |= {f"{at}.cost.batches[{i}]": batch for i, batch in enumerate(experiment.cost.batches)}
        for key, count in asked.items():
            require(key, count, count <= there, f"must be at most datasets.{setting.dataset}.prompts = {there}")
    if experiment.cost:
        shown, batches = experiment.cost.shown, list(experiment.cost.batches)
        require(f"{at}.cost.shown", shown, shown in batches, f"must be one of {at}.cost.batches = {batches}")


def check_fine_tune(config: Mapping[str, Any], tune: FineTune, backbone: BackboneSettings) -> None:
    """The recipe makes sense, its groups are no longer than the sampler's run, and the backbone can learn it."""
    at, steps = f"recipes.{tune.name}", config["sampling"]["steps"]
    try:
        recipe = tune.parsed
    except ValueError as error:
        raise ConfigError(f"config key {at}: {error}") from None
    in_groups = recipe.times == "groups" or recipe.needs_trajectories
    fits = not in_groups or 2 <= recipe.stride <= steps
    require(f"{at}.stride", recipe.stride, fits, f"must be 2 to sampling.steps = {steps}: its pairs are of such groups")
    predicts = prediction_type(backbone)
    learns = not (recipe.needs_trajectories or tune.validated) or predicts == "epsilon"
    require(
        at, tune.recipe, learns, f"needs trajectories, which a backbone that predicts {predicts} ({backbone.name}) does not have"
    )
    gpus, accumulate = config["finetune"].get("gpus", 1), tune.training.get("accumulate", 1)
    require("finetune.gpus", gpus, accumulate % gpus == 0, f"must divide the accumulate of {tune.name}, {accumulate}")


def prediction_type(backbone: BackboneSettings) -> str:
    """Return the UNet's prediction type: its folder's, where there is one, else the registry's."""
    file = Path(backbone.location.split("+")[0]) / "scheduler" / "scheduler_config.json"
    if file.exists():
        return json.loads(file.read_text()).get("prediction_type", "epsilon")
    return backbone.registered.objective
