"""A scenario: a stress that is applied while images are drawn. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Scenario:
    """One entry of the section `scenarios`; `clean` changes nothing.

    Args:
        name: of its folder.
        options: what is changed, each a function of `fcr_core.sampling.scenarios`: `{"size": 128}` draws at another size.
    """

    name: str
    options: dict[str, Any]

    @classmethod
    def from_config(cls, config: Mapping[str, Any], name: str) -> Scenario:
        return cls(name, dict(config["scenarios"][name] or {}))

    @property
    def json(self) -> str:
        """For the command line."""
        return json.dumps(self.options, sort_keys=True)
