"""The checks of a configuration that its schema cannot make: names that must be known, and values that must fit one another."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from fcr_core.backbones.registry import BACKBONES
from fcr_core.caching.plan import Plan
from fcr_core.data.registry import DATASETS
from fcr_core.experiment.backbone_settings import BackboneSettings
from fcr_core.experiment.cell import BASE
from fcr_core.experiment.config_error import ConfigError, require
from fcr_core.experiment.drawings import Drawing, drawings_of
from fcr_core.experiment.experiment import Experiment, distinct, experiments_of
from fcr_core.experiment.fine_tune import TRAINING
from fcr_core.experiment.product import RowOfConfig
from fcr_core.experiment.recipe import Recipe
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
            require(f"{at}.{part}", folder, folder is None or Path(folder).is_dir(), f"no such folder{if_short(folder)}")
        for part in ("train", "search"):
            dataset = entry.get(part, entry["train"])
            require(f"{at}.{part}", dataset, dataset in config["datasets"], f"add {dataset} to datasets")


def if_short(path: str | None) -> str:
    """Return what to say of a path that is not there and that a shell would expand."""
    return ": write the whole path, ~ and $ are not expanded" if path and re.match(r"~|.*\$[\w{]", path) else ""


def check_braces(key: str, path: str | None) -> None:
    """The path of an input holds no braces, which would name a wildcard."""
    allowed = "Snakemake takes {...} in a path for a wildcard: rename it, or name a link to it"
    require(key, path, not path or re.search(r"[{}]", path) is None, allowed)


def check_datasets(config: Mapping[str, Any]) -> None:
    """Data sets are registered, those of the user have files, and none has more prompts than there are."""
    searched = {BackboneSettings.from_config(config, name).search for name in config["backbones"]}
    for name, entry in config["datasets"].items():
        at = f"datasets.{name}"
        require(at, entry, name in DATASETS, f"must be one of {sorted(DATASETS)}")
        dataset = DATASETS[name]
        reads = dataset.reads != "package" or "source" not in entry
        require(f"{at}.source", entry.get("source"), reads, "it comes with a package and reads no files")
        own, owner = dataset.owner == name or "source" not in entry, f"datasets.{dataset.owner}.source"
        require(f"{at}.source", entry.get("source"), own, f"it reads the files of {dataset.owner}: set {owner}")
        source = entry.get("source")
        named = not if_short(source) or Path(source).exists()
        require(f"{at}.source", source, named, f"no such file or folder{if_short(source)}")
        check_braces(f"{at}.source", source)
        has_source = dataset.reads != "files" or "source" in entry
        require(at, entry, has_source, f"set {at}.source to the files that docs/data.md names")
        require(at, entry, name != "laion" or "download" in entry, f"set {at}.download: which images, and how many")
        count, most = entry.get("train_images"), (dataset.images or (None,))[0]
        require(f"{at}.train_images", count, not (count and most) or count <= most, f"{name} has {most} training images")
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
        check_braces(f"metrics.weights.{name}", file)
    for i, name in enumerate(section["sets"]):
        require(f"metrics.sets[{i}]", name, name in SETS, f"must be one of {list(SETS)}")
        metric = metrics_of(SETS[name])[0]
        able = [other for other, network in EXTRACTORS.items() if metric.needs in network.arrays]
        allowed = f"needs {metric.needs}, which metrics.extractor = {extractor!r} does not give: {' and '.join(able)} do"
        require(f"metrics.sets[{i}]", name, metric.in_image_text_space or extractor in able, allowed)


def check_recipes(recipes: Mapping[str, Any]) -> None:
    """Every recipe makes sense, whether an experiment asks for it or not, and its name says nothing else in a row."""
    for name, fields in recipes.items():
        at = f"recipes.{name}"
        require(at, fields, name not in (BASE, "all"), "in a row this name means something else: choose another")
        try:
            recipe = Recipe.from_config({key: value for key, value in fields.items() if key not in TRAINING})
        except ValueError as error:
            raise ConfigError(f"config key {at}: {error}") from None
        nodes, stride = recipe.plan.nodes, recipe.stride
        require(f"{at}.nodes", nodes, nodes is None or nodes <= stride, f"must be at most its stride, {stride}")


def check_own_sampler(row: RowOfConfig) -> None:
    """A row that is sampled as its recipe is made for says nothing else of how."""
    for key in Plan.options() if row.fields.get("sampler") == "own" else ():
        allowed = "goes not together with `sampler: own`, which says it: leave one of them out"
        require(row.key(key), row.fields.get(key), key not in row.fields, allowed)


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


def check_experiments(config: Mapping[str, Any], experiments: Mapping[str, Experiment]) -> None:
    """Every experiment holds what its rows are compared with, and takes neither more prompts than there are nor too few."""
    chosen = {name: given.get("prompts") for name, given in config["datasets"].items()}
    drawings = drawings_of(experiments.values(), chosen)
    for name, experiment in experiments.items():
        at, control = f"experiments.{name}", experiment.control
        require(f"{at}.rows", config["experiments"][name]["rows"], bool(experiment.rows), "stands for no row: no recipe fits")
        require(f"{at}.control", control, control is None or control in config["recipes"], "must be a name from recipes")
        check_goal(experiment)
        check_mechanism(config, experiment)
        check_prompts(config, name, experiment)
        check_training_images(config, experiment)
        if "sets" in experiment.measures:
            check_drawn_alike(experiment, drawings, chosen)


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


def check_mechanism(config: Mapping[str, Any], experiment: Experiment) -> None:
    """Require that what feature variance is compared at is drawn and measured."""
    if experiment.mechanism is None:
        return
    at, sampler, delta = f"experiments.{experiment.name}.mechanism", experiment.mechanism.sampler, experiment.mechanism.delta
    names = distinct(row.cell.sampler.name for row in experiment.rows)
    require(f"{at}.sampler", sampler, sampler in names, f"must be the sampler of a row: {', '.join(names)}")
    deltas = config["metrics"]["deltas"]
    require(f"{at}.delta", delta, delta in deltas, f"must be one of metrics.deltas = {deltas}")


def check_training_images(config: Mapping[str, Any], experiment: Experiment) -> None:
    """Data sets have training images where something learns from them: fine-tunes, and the projections of LiT."""
    for model in experiment.models:
        if model.train is not None:
            allowed = f"{model.train} has no training images: give the row another `train`"
            require(f"experiments.{experiment.name}.rows", model.name, trains(model.train), allowed)
    judged = config["metrics"]["image_text"] == "lit" and {"sets", "image_text"} & {*experiment.measures}
    for setting in experiment.settings if judged else ():
        allowed = f"is trained on the training images of {setting.dataset}, which has none: take clip, or measure pairs alone"
        require("metrics.image_text", "lit", trains(setting.dataset), allowed)


def trains(dataset: str) -> bool:
    """Return True if a set has training images, as far as the registry knows."""
    images = DATASETS[dataset].images
    return images is None or images[0] > 0


def check_drawn_alike(experiment: Experiment, drawings: Mapping[str, Drawing], chosen: Mapping[str, int]) -> None:
    """Its sets of images are those that it asks for: what another experiment draws of a cell beside them is judged with them."""
    own, at = drawings_of([experiment], chosen), f"experiments.{experiment.name}"
    allowed = f"another experiment draws more prompts or seeds of it: ask for as many, or leave sets out of {at}.measures"
    for row in experiment.rows:
        require(f"{at}.rows", row.name, drawings[row.cell.path] == own[row.cell.path], allowed)


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


class Judges(Needs, Protocol):
    """An entry of the registry of criteria."""

    @property
    def roles(self) -> tuple[str, ...]: ...

    @property
    def deltas(self) -> Sequence[int]: ...


def check_criteria(config: Mapping[str, Any], criteria: Mapping[str, Judges]) -> None:
    """Require that what verdicts are made of is measured: a metric for each quantity, σ²_Δ at each Δ."""
    metrics = config["metrics"]
    roles = {metric.role for name in metrics["sets"] for metric in metrics_of(SETS[name])}
    for name, experiment in experiments_of(config).items():
        if experiment.criteria is None:
            continue
        judges, at = criteria[experiment.criteria], f"experiments.{name}.criteria = {experiment.criteria}"
        for role in judges.roles:
            able = [module for module, of in SETS.items() if any(metric.role == role for metric in metrics_of(of))]
            require("metrics.sets", metrics["sets"], role in roles, f"needs a {role} for {at}: {' or '.join(able)}")
        missing = [delta for delta in judges.deltas if delta not in metrics["deltas"]]
        require("metrics.deltas", metrics["deltas"], not missing, f"needs {missing} too, for {at}")


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
