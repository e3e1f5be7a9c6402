"""Checks a configuration and says in one line what is wrong: the key, its value and what is allowed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from fcr_core.experiment import name_rules, network_rules, rules
from fcr_core.experiment.config_error import ConfigError, require, shown
from fcr_core.experiment.experiment import experiments_of
from fcr_core.experiment.product import RowOfConfig, multiplied

SCHEMA = Path(__file__).parents[2] / "config" / "config.schema.yaml"
ALLOWED = {
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "exclusiveMinimum": "must be above {}",
    "exclusiveMaximum": "must be below {}",
    "multipleOf": "must be a multiple of {}",
    "enum": "must be one of {}",
    "const": "must be {}",
    "type": "must be of type {}",
    "minItems": "needs at least {} entry",
    "minProperties": "needs at least {} key",
    "uniqueItems": "must not repeat an entry",
    "pattern": "must be letters, digits and . _ + - and begin with a letter or a digit",
}
UNKNOWN_KEYS = ("additionalProperties", "unevaluatedProperties")
# JSON takes 50.0 for a whole number; range() does not.
TYPES = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
Validator = extend(Draft202012Validator, type_checker=TYPES)


def check(config: dict[str, Any]) -> None:
    """Raise `ConfigError` for the first value that is not finite, violates the schema, or does not fit the others."""
    schema = read_schema(SCHEMA)
    for path, value in entries(config):
        if isinstance(value, float):
            require(path, value, math.isfinite(value), "must be a finite number")
    for error in first_errors(config, schema):
        raise ConfigError(one_line(error, schema))
    rules.check_backbones(config)
    network_rules.check_backbones(config)
    rules.check_datasets(config)
    rules.check_metrics(config["metrics"])
    rules.check_recipes(config["recipes"])
    rules.check_sampling(config)
    row_schema = schema["$defs"]["row"] | {"$defs": schema["$defs"]}
    for name, experiment in config["experiments"].items():
        if experiment:
            check_rows(experiment["rows"], f"experiments.{name}.rows", row_schema)
            rules.check_places(config, name)
            network_rules.check_rows(config, name)
    experiments = experiments_of(config)
    name_rules.check_names_apart(config, experiments)
    rules.check_experiments(config, experiments)
    network_rules.check_fine_tunes(config, experiments.values())


@cache
def read_schema(file: Path) -> dict[str, Any]:
    return yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


def check_rows(rows: list[Any], path: str, schema: dict[str, Any]) -> None:
    """Raise `ConfigError` for a row that holds an empty list or, its lists multiplied out, violates the schema."""
    for index, row in enumerate(rows):
        given = {} if row == "uncached" else row
        for field, value in given.items():
            require(f"{path}[{index}].{field}", value, value != [], "must hold at least one entry")
        for one in multiplied(given, f"{path}[{index}]"):
            check_row(one, schema)
            rules.check_own_sampler(one)


def check_row(row: RowOfConfig, schema: dict[str, Any]) -> None:
    """Raise `ConfigError` for a row, its lists multiplied out, that violates the schema."""
    for error in first_errors(row.fields, schema):
        field, *deeper = list(error.absolute_path) or [""]
        key = row.key(str(field)) + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in deeper)
        raise ConfigError(one_line(error, schema, key if field else row.path))


def first_errors(config: Mapping[str, Any], schema: dict[str, Any]) -> list[ValidationError]:
    """Violations of the schema, in the order of their places.

    jsonschema takes a key for unknown where its value is wrong, too: that is no error of its own.
    """
    found = [
        error
        for error in Validator(schema).iter_errors(config)
        if error.validator not in UNKNOWN_KEYS or unknown_keys(error, schema)
    ]
    return sorted(found, key=lambda e: list(map(str, e.absolute_path)))


def entries(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with its place. Raises `ConfigError` for a key that is no text."""
    yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            place = f"{path}.{key}" if path else str(key)
            require(place, inner, isinstance(key, str), f"a key must be text, and YAML reads {key!r} here: write '{key}'")
            yield from entries(inner, place)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from entries(inner, f"{path}[{index}]")


def one_line(error: ValidationError, schema: dict[str, Any], key: str | None = None) -> str:
    """`config key finetune.lr = -0.1: must be above 0`."""
    key = error.json_path.removeprefix("$").removeprefix(".") if key is None else key
    if error.validator in UNKNOWN_KEYS:
        known, unknown = sorted(known_keys(error.schema, schema)), unknown_keys(error, schema)[0]
        path = f"{key}.{unknown}" if key else unknown
        meant = "".join(f"; did you mean {name}?" for name in get_close_matches(unknown, known, 1))
        return f"config key {path} = {shown(error.instance[unknown])}: unknown key; allowed here: {', '.join(known)}{meant}"
    return f"config key {key or '(top level)'} = {shown(error.instance)}: {allowed_by(error)}{hint_for(error)}"


def allowed_by(error: ValidationError) -> str:
    """Say in words what the schema asks for."""
    wanted: Any = error.validator_value
    if error.validator == "required":
        missing = [name for name in wanted if name not in error.instance]
        return f"lacks {', '.join(missing)}; required: {wanted}"
    if error.validator == "type" and isinstance(wanted, list):
        wanted = " or ".join(wanted)
    if error.validator in ALLOWED:
        return ALLOWED[str(error.validator)].format(wanted)
    return f"must be {error.schema['description']}" if "description" in error.schema else error.message


def hint_for(error: ValidationError) -> str:
    """Say how to write a number that YAML has read as text."""
    if error.validator != "type" or not isinstance(error.instance, str):
        return ""
    if re.fullmatch(r"\d+e-?\d+", error.instance):
        return " (write 1.0e-5, YAML reads 1e-5 as text)"
    return " (it is text: write it without quotes)" if re.fullmatch(r"-?\d+(\.\d*)?", error.instance) else ""


def unknown_keys(error: ValidationError, schema: dict[str, Any]) -> list[str]:
    known = known_keys(error.schema, schema)
    return [name for name in error.instance if name not in known]


def known_keys(part: Any, schema: dict[str, Any]) -> set[str]:
    """The keys that a part of the schema allows, those of what it refers to included."""
    keys = set(part.get("properties", {}))
    for other in (part, *part.get("allOf", [])):
        if "$ref" in other:
            keys |= known_keys(schema["$defs"][other["$ref"].rsplit("/", 1)[1]], schema)
    return keys
