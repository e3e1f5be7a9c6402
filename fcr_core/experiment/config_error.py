"""The one error of a configuration: a line that names the key, its value and what is allowed."""

from __future__ import annotations

from typing import Any


class ConfigError(ValueError):
    """A configuration that cannot be run; the message is one line."""


def require(key: str, value: Any, holds: bool, allowed: str) -> None:
    """Raise `ConfigError` unless it holds."""
    if not holds:
        raise ConfigError(f"config key {key} = {value!r}: {allowed}")
