"""The one error of a configuration: a line that names the key, its value and what is allowed."""

from __future__ import annotations

from typing import Any

# Letters of a value that a message shows.
SHOWN = 100


class ConfigError(ValueError):
    """A configuration that cannot be run; the message is one line."""

    def __init__(self, message: str) -> None:
        super().__init__("\\n".join(message.splitlines()))


def require(key: str, value: Any, holds: bool, allowed: str) -> None:
    """Raise `ConfigError` unless it holds."""
    if not holds:
        raise ConfigError(f"config key {key} = {shown(value)}: {allowed}")


def shown(value: Any) -> str:
    """The value as it stands in a message, cut off where it is long.

    >>> shown([0, 1]), len(shown(list(range(1000))))
    ('[0, 1]', 100)
    """
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
