"""Checks a configuration and says in one line what is wrong: the key, its value and what is allowed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

SCHEMA = Path(__file__).parent.parent / "config" / "config.schema.yaml"
ALLOWED = {
    "minimum": "must be at least {}",
    "exclusiveMinimum": "must be above {}",
    "enum": "must be one of {}",
    "type": "must be of type {}",
    "minItems": "needs at least {} entry",
    "uniqueItems": "must not repeat an entry",
    "required": "lacks a key; required: {}",
}


class ConfigError(ValueError):
    """A configuration that cannot be run; the message is one line."""


def check(config: dict[str, Any], backbones: list[str], datasets: list[str]) -> None:
    """Raise `ConfigError` for the first violation of the schema, an unknown name, or strides beyond the step count."""
    schema = yaml.safe_load(SCHEMA.read_text())
    for error in sorted(Draft202012Validator(schema).iter_errors(config), key=lambda e: list(map(str, e.path))):
        raise ConfigError(one_line(error))
    require("backbone", config["backbone"], config["backbone"] in backbones, f"must be one of {backbones}")
    for key in ("train", "eval"):
        name = config["data"][key]
        require(f"data.{key}", name, name in datasets, f"must be one of {datasets}")
    steps = config["sampling"]["steps"]
    for section, key in (("sampling", "strides"), ("sampling", "fcr_strides"), ("plane", "strides")):
        for i, stride in enumerate(config[section][key]):
            require(f"{section}.{key}[{i}]", stride, stride <= steps, f"must be at most sampling.steps = {steps}")


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
