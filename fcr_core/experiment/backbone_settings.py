"""A backbone of the configuration: a registered one with the source, size, guidance and fine-tune of this run. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fcr_core.backbones.network_facts import NetworkFacts
from fcr_core.backbones.registry import BACKBONES, Backbone


@dataclass(frozen=True)
class BackboneSettings:
    """One entry of the section `backbones`.

    Args:
        name: the entry's own name, which stands in paths and tables.
        registered: what the registry knows of it; `like` names it, by default the entry's own name.
        location: what scripts take as `--pipeline`.
        train: the data set that its fine-tunes learn from.
        search: the data set on whose held-out prompts key steps are chosen.
        size: side of its images in pixels.
        guidance: scale of classifier-free guidance.
        prompt_prefix: text that begins every prompt, such as the trigger words of a style.
    """

    name: str
    registered: Backbone
    location: str
    train: str
    search: str
    size: int
    guidance: float
    prompt_prefix: str

    @classmethod
    def from_config(cls, config: Mapping[str, Any], name: str) -> BackboneSettings:
        """Raises `KeyError` for a backbone that is not configured or not registered."""
        entry = config["backbones"][name]
        registered = BACKBONES[entry.get("like", name)]
        return cls(
            name,
            registered,
            registered.location(entry.get("source"), entry.get("revision"), entry.get("adapter")),
            train=entry["train"],
            search=entry.get("search", entry["train"]),
            size=entry.get("size", registered.size),
            guidance=entry.get("guidance", config["sampling"]["guidance"]),
            prompt_prefix=entry.get("prompt_prefix", registered.prompt_prefix),
        )

    @cached_property
    def facts(self) -> NetworkFacts:
        """The facts of its networks. Raises `ValueError` for a folder with a broken file."""
        return NetworkFacts.of(self.location, self.registered)

    def sampling(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The section `sampling` with this backbone's guidance: what `Sampler.from_config` takes as defaults."""
        return {"scheduler": "ddim", **config["sampling"], "guidance": self.guidance}
