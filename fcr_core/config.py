"""Checks a configuration and says in one line what is wrong: the key, its value and what is allowed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from fcr_core.data.registry import NEEDS_SOURCE, PACKAGED
from fcr_core.recipe import Recipe
from fcr_core.variations import TRAINING, ablated_recipes, fine_tunes_of

SCHEMA = Path(__file__).parent.parent / "config" / "config.schema.yaml"
ALLOWED = {
    "minimum": "must be at least {}",
    "exclusiveMinimum": "must be above {}",
    "enum": "must be one of {}",
    "type": "must be of type {}",
    "minItems": "needs at least {} entry",
    "uniqueItems": "must not repeat an entry",
    "required": "lacks a key; required: {}",
    "oneOf": "needs either a stride or a number of chosen key steps (keys), not both",
}


class ConfigError(ValueError):
    """A configuration that cannot be run; the message is one line."""


def check(config: dict[str, Any], backbones: list[str], datasets: list[str]) -> None:
    """Raise `ConfigError` for the first violation of the schema, an unknown name, or strides beyond the step count."""
    schema = yaml.safe_load(SCHEMA.read_text())
    for error in sorted(Draft202012Validator(schema).iter_errors(config), key=lambda e: list(map(str, e.path))):
        raise ConfigError(one_line(error))
    require("backbone", config["backbone"], config["backbone"] in backbones, f"must be one of {backbones}")
    check_data(config["data"], datasets)
    steps = config["sampling"]["steps"]
    for section, key in (("sampling", "strides"), ("sampling", "fcr_strides"), ("plane", "strides")):
        for i, stride in enumerate(config[section][key]):
            require(f"{section}.{key}[{i}]", stride, stride <= steps, f"must be at most sampling.steps = {steps}")
    for section, key in (("ablations", "plans"), ("recipe_table", "rows")):
        for i, row in enumerate(config[section][key]):
            at, recipe = f"{section}.{key}[{i}]", row.get("recipe")
            for field in row.keys() & {"stride", "keys"}:
                require(f"{at}.{field}", row[field], row[field] <= steps, f"must be at most sampling.steps = {steps}")
            require(f"{at}.recipe", recipe, recipe is None or recipe in fine_tunes_of(config), "must be a name from recipes")
    for i, name in enumerate(ablated_recipes(config)):
        require(f"ablations.recipes[{i}]", name, name in config["recipes"], "must be a name from recipes")
    used = {*ablated_recipes(config), *(row.get("recipe") for row in config["recipe_table"]["rows"])}
    for name in used & config["recipes"].keys():
        fields = {key: value for key, value in config["recipes"][name].items() if key not in TRAINING}
        check_recipe(name, fields, steps)


def check_data(data: dict[str, Any], datasets: list[str]) -> None:
    """Raise `ConfigError` for an unknown data set, or one that is in no package and has no source."""
    sources = data.get("sources", {})
    for name in sources:
        require(f"data.sources.{name}", sources[name], name in datasets and name not in PACKAGED, "no data set that reads files")
    for key in ("train", "eval"):
        name = data[key]
        require(f"data.{key}", name, name in datasets, f"must be one of {datasets}")
        has_source = name in sources or name not in NEEDS_SOURCE
        require(f"data.{key}", name, has_source, f"set data.sources.{name} to the files that docs/data.md names")
        require(f"data.{key}", name, name != "laion" or "laion" in data, "set data.laion: which images, and how many")


def check_recipe(name: str, fields: dict[str, Any], steps: int) -> None:
    """Raise `ConfigError` for a recipe that makes no sense, or whose groups are longer than the sampler's run."""
    try:
        recipe = Recipe(**fields)
    except ValueError as error:
        raise ConfigError(f"config key recipes.{name}: {error}") from None
    in_groups = recipe.times == "groups" or recipe.needs_trajectories
    fits = not in_groups or 2 <= recipe.stride <= steps
    require(f"recipes.{name}.stride", recipe.stride, fits, f"must be 2 to sampling.steps = {steps}: its pairs are of such groups")


def require(key: str, value: Any, holds: bool, allowed: str) -> None:
    if not holds:
        raise ConfigError(f"config key {key} = {value!r}: {allowed}")


def one_line(error: ValidationError) -> str:
    """`config key finetune.lambdas[1] = -0.1: must be at least 0`."""
    key = error.json_path.removeprefix("$").removeprefix(".")
    if error.validator == "additionalProperties":
        known = sorted(error.schema["properties"])
        unknown = [name for name in error.instance if name not in known]
        path = f"{key}.{unknown[0]}" if key else unknown[0]
        return f"config key {path} = {error.instance[unknown[0]]!r}: unknown key; allowed here: {', '.join(known)}"
    hint = " (write 1.0e-5, YAML reads 1e-5 as text)" if is_bare_exponent(error.instance) else ""
    allowed = ALLOWED.get(str(error.validator), error.message).format(error.validator_value)
    return f"config key {key or '(top level)'} = {error.instance!r}: {allowed}{hint}"


def is_bare_exponent(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"\d+e-?\d+", value) is not None
