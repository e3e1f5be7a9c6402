"""Checks a configuration and says in one line what is wrong: the key, its value and what is allowed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from fcr_core.experiment import rules
from fcr_core.experiment.config_error import ConfigError
from fcr_core.experiment.product import RowOfConfig
from fcr_core.experiment.row import given_rows

SCHEMA = Path(__file__).parents[2] / "config" / "config.schema.yaml"
ALLOWED = {
    "minimum": "must be at least {}",
    "exclusiveMinimum": "must be above {}",
    "exclusiveMaximum": "must be below {}",
    "enum": "must be one of {}",
    "type": "must be of type {}",
    "minItems": "needs at least {} entry",
    "uniqueItems": "must not repeat an entry",
    "required": "lacks a key; required: {}",
    "pattern": "must be letters, digits and . _ + - and begin with a letter or a digit",
}


def check(config: dict[str, Any]) -> None:
    """Raise `ConfigError` for the first value that is not finite, violates the schema, or does not fit the others."""
    schema = yaml.safe_load(SCHEMA.read_text())
    for path, value in numbers(config):
        rules.require(path, value, math.isfinite(value), "must be a finite number")
    for error in first_errors(config, schema):
        raise ConfigError(one_line(error, schema))
    rules.check_backbones(config)
    rules.check_datasets(config)
    rules.check_metrics(config["metrics"])
    rules.check_sampling(config)
    row_schema = schema["$defs"]["row"] | {"$defs": schema["$defs"]}
    for name, experiment in config["experiments"].items():
        if experiment:
            rules.check_places(config, name)
            for row in given_rows(config, name):
                check_row(row, row_schema)
    rules.check_experiments(config)


def check_row(row: RowOfConfig, schema: dict[str, Any]) -> None:
    """Raise `ConfigError` for a row, its lists multiplied out, that violates the schema."""
    for error in first_errors(row.fields, schema):
        field, *deeper = list(error.absolute_path) or [""]
        key = row.key(str(field)) + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in deeper)
        raise ConfigError(one_line(error, schema, key if field else row.path))


def first_errors(config: Mapping[str, Any], schema: dict[str, Any]) -> list[ValidationError]:
    """Violations of the schema, in the order of their places."""
    return sorted(Draft202012Validator(schema).iter_errors(config), key=lambda e: list(map(str, e.absolute_path)))


def numbers(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Every number with decimals, with its place."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from numbers(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from numbers(inner, f"{path}[{index}]")
    elif isinstance(value, float):
        yield path, value


def one_line(error: ValidationError, schema: dict[str, Any], key: str | None = None) -> str:
    """`config key finetune.lr = -0.1: must be above 0`."""
    key = error.json_path.removeprefix("$").removeprefix(".") if key is None else key
    if error.validator in ("additionalProperties", "unevaluatedProperties"):
        known = sorted(known_keys(error.schema, schema))
        unknown = [name for name in error.instance if name not in known]
        path = f"{key}.{unknown[0]}" if key else unknown[0]
        return f"config key {path} = {error.instance[unknown[0]]!r}: unknown key; allowed here: {', '.join(known)}"
    hint = " (write 1.0e-5, YAML reads 1e-5 as text)" if is_bare_exponent(error.instance) else ""
    allowed = ALLOWED.get(str(error.validator), error.message).format(error.validator_value)
    return f"config key {key or '(top level)'} = {error.instance!r}: {allowed}{hint}"


def known_keys(part: Any, schema: dict[str, Any]) -> set[str]:
    """The keys that a part of the schema allows, those of what it refers to included."""
    keys = set(part.get("properties", {}))
    for other in (part, *part.get("allOf", [])):
        if "$ref" in other:
            keys |= known_keys(schema["$defs"][other["$ref"].rsplit("/", 1)[1]], schema)
    return keys


def is_bare_exponent(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"\d+e-?\d+", value) is not None
