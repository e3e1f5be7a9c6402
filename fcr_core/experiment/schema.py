"""Checks a configuration and says in one line what is wrong: the key, its value and what is allowed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from fcr_core.experiment import rules as rules
from fcr_core.experiment.rules import ConfigError

SCHEMA = Path(__file__).parents[2] / "config" / "config.schema.yaml"
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


def check(config: dict[str, Any], backbones: list[str], datasets: list[str]) -> None:
    """Raise `ConfigError` for the first violation of the schema or of `fcr_core.experiment.rules`, or an unknown backbone."""
    schema = yaml.safe_load(SCHEMA.read_text())
    for error in sorted(Draft202012Validator(schema).iter_errors(config), key=lambda e: list(map(str, e.path))):
        raise ConfigError(one_line(error))
    rules.require("backbone", config["backbone"], config["backbone"] in backbones, f"must be one of {backbones}")
    rules.check_data(config["data"], datasets)
    rules.check_metrics(config["metrics"])
    rules.check_numbers(config)
    rules.check_prompts(config)
    rules.check_plane(config["plane"])
    rules.check_tables(config)
    rules.check_recipes(config)


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
