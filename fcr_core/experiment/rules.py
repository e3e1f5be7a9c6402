"""What the schema cannot say of a configuration: names that must be known, and values that must fit one another."""

from __future__ import annotations

from typing import Any

from fcr_core.data.registry import NEEDS_SOURCE, PACKAGED, WITHOUT_IMAGES
from fcr_core.experiment.recipe import Recipe
from fcr_core.experiment.rows import (
    CONTROL,
    TRAINING,
    ablated_recipes,
    cell_plans,
    fine_tunes_of,
    lambda_name,
    quality_goal,
    recipe_rows_of,
)
from fcr_core.features.registry import EXTRACTORS, IMAGE_TEXT_SPACES
from fcr_core.metrics.metric import metrics_of
from fcr_core.metrics.registry import SETS


class ConfigError(ValueError):
    """A configuration that cannot be run; the message is one line."""


def require(key: str, value: Any, holds: bool, allowed: str) -> None:
    """Raise `ConfigError` unless it holds."""
    if not holds:
        raise ConfigError(f"config key {key} = {value!r}: {allowed}")


def check_data(data: dict[str, Any], datasets: list[str]) -> None:
    """Data sets are known, and those that are in no package have a source."""
    sources = data.get("sources", {})
    for name in sources:
        require(f"data.sources.{name}", sources[name], name in datasets and name not in PACKAGED, "no data set that reads files")
    for key in ("train", "eval"):
        name = data[key]
        require(f"data.{key}", name, name in datasets, f"must be one of {datasets}")
        require(f"data.{key}", name, name not in WITHOUT_IMAGES, "has prompts alone, and its images are needed: take another set")
        has_source = name in sources or name not in NEEDS_SOURCE
        require(f"data.{key}", name, has_source, f"set data.sources.{name} to the files that docs/data.md names")
        require(f"data.{key}", name, name != "laion" or "laion" in data, "set data.laion: which images, and how many")


def check_metrics(section: dict[str, Any]) -> None:
    """Names are registered, and the extractor gives what the metrics of sets are computed from."""
    extractor, space = section["extractor"], section["image_text"]
    judges = sorted(name for name, network in EXTRACTORS.items() if "pool" in network.arrays)
    require("metrics.extractor", extractor, extractor in judges, f"must be one of {judges}")
    require("metrics.image_text", space, space in IMAGE_TEXT_SPACES, f"must be one of {list(IMAGE_TEXT_SPACES)}")
    for name, file in section.get("weights", {}).items():
        require(
            f"metrics.weights.{name}", file, name in EXTRACTORS, f"unknown key; allowed here: {', '.join(sorted(EXTRACTORS))}"
        )
    for i, name in enumerate(section["sets"]):
        require(f"metrics.sets[{i}]", name, name in SETS, f"must be one of {list(SETS)}")
        metric = metrics_of(SETS[name])[0]
        able = [other for other, network in EXTRACTORS.items() if metric.needs in network.arrays]
        allowed = f"needs {metric.needs}, which metrics.extractor = {extractor!r} does not give: {' and '.join(able)} do"
        require(f"metrics.sets[{i}]", name, metric.in_image_text_space or extractor in able, allowed)


def check_numbers(config: dict[str, Any]) -> None:
    """No stride beyond the last step, shards of whole batches, and processes that share out the batches of a step evenly."""
    steps = config["sampling"]["steps"]
    for section, key in (("sampling", "strides"), ("sampling", "fcr_strides"), ("plane", "strides")):
        for i, stride in enumerate(config[section][key]):
            require(f"{section}.{key}[{i}]", stride, stride <= steps, f"must be at most sampling.steps = {steps}")
    shard, batch = config["sampling"].get("shard"), config["sampling"]["batch"]
    require("sampling.shard", shard, not shard or shard % batch == 0, f"must be a multiple of sampling.batch = {batch}")
    gpus = config["finetune"].get("gpus", 1)
    for name, tune in fine_tunes_of(config).items():
        accumulate = tune.training.get("accumulate", 1)
        require("finetune.gpus", gpus, accumulate % gpus == 0, f"must divide the accumulate of {name}, {accumulate}")


def check_prompts(config: dict[str, Any]) -> None:
    """Nothing takes more prompts than are chosen for evaluation: it would get fewer than it says."""
    prompts, drawn = config["data"]["prompts"], config["plane"]["prompts"]
    asked = {
        "sampling.twin_prompts": config["sampling"]["twin_prompts"],
        "metrics.variance_images": config["metrics"]["variance_images"],
        "ablations.prompts": config["ablations"]["prompts"],
        "plane.prompts": drawn,
    }
    for section in ("efficiency", "recipe_table"):
        asked |= {f"{section}.batches[{i}]": batch for i, batch in enumerate(config[section]["batches"])}
    for key, count in asked.items():
        require(key, count, count <= prompts, f"must be at most data.prompts = {prompts}")
    batch = config["plane"]["batch"]
    require("plane.batch", batch, batch <= drawn, f"must be at most plane.prompts = {drawn}")


def check_plane(plane: dict[str, Any]) -> None:
    """The point that others are compared with is on the plane."""
    goal = f"FD-{plane['strides'][0]}"
    for key, plain in (("cuts", 0), ("nodes", "all"), ("reuse", "hold")):
        require(f"plane.{key}", plane[key], plain in plane[key], f"must contain {plain}: others are compared with {goal}")


def check_tables(config: dict[str, Any]) -> None:
    """Rows and cells have recipes that exist and strides that fit, and what each table compares with is in it."""
    steps, tunes = config["sampling"]["steps"], fine_tunes_of(config)
    for section, key in (("ablations", "plans"), ("recipe_table", "rows")):
        for i, row in enumerate(config[section][key]):
            at, recipe = f"{section}.{key}[{i}]", row.get("recipe")
            for field in row.keys() & {"stride", "keys"}:
                require(f"{at}.{field}", row[field], row[field] <= steps, f"must be at most sampling.steps = {steps}")
            require(f"{at}.recipe", recipe, recipe is None or recipe in tunes, "must be a name from recipes")
    goal, stride = quality_goal(config), config["sampling"]["strides"][0]
    judged = f"add a row {{stride: {stride}}} to recipe_table.rows: {goal} is what its other rows are judged against"
    require("sampling.strides[0]", stride, goal in recipe_rows_of(config, tunes), judged)
    plans = config["ablations"]["plans"]
    two = len(cell_plans(config)) > 1
    require("ablations.plans", plans, two, "needs two different samplers: the recipes are compared at the second")


def check_recipes(config: dict[str, Any]) -> None:
    """Recipes have names of their own, those of the ablation grid exist with their control, and all that are used make sense."""
    taken = {"base", *(f"lambda{lambda_name(lam)}" for lam in config["finetune"]["lambdas"])}
    for name, fields in config["recipes"].items():
        own = "choose another name: the base model or a λ of finetune.lambdas has this one"
        require(f"recipes.{name}", fields, name not in taken, own)
    ablated = ablated_recipes(config)
    for i, name in enumerate(ablated):
        require(f"ablations.recipes[{i}]", name, name in config["recipes"], "must be a name from recipes")
    named = config["ablations"]["recipes"]
    require("ablations.recipes", named, CONTROL in ablated, f"needs the recipe {CONTROL}: the others are compared with it")
    used = {*ablated, *(row.get("recipe") for row in config["recipe_table"]["rows"])}
    for name in used & config["recipes"].keys():
        fields = {key: value for key, value in config["recipes"][name].items() if key not in TRAINING}
        check_recipe(name, fields, config["sampling"]["steps"])


def check_recipe(name: str, fields: dict[str, Any], steps: int) -> None:
    """The recipe trains something, and its groups are no longer than the sampler's run."""
    try:
        recipe = Recipe(**fields)
    except ValueError as error:
        raise ConfigError(f"config key recipes.{name}: {error}") from None
    in_groups = recipe.times == "groups" or recipe.needs_trajectories
    fits = not in_groups or 2 <= recipe.stride <= steps
    require(f"recipes.{name}.stride", recipe.stride, fits, f"must be 2 to sampling.steps = {steps}: its pairs are of such groups")
