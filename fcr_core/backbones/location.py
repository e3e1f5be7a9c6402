"""Name a backbone's networks in one argument of every script: `source[@revision][+lora:source[@revision]]`. No torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

# A pipeline folder may hold this file instead of a text encoder: {"package", "folder", "max_tokens"}.
TEXT_ENCODER_REFERENCE = "text_encoder_reference.json"
# A pipeline may have an adapter: low-rank weights that are folded into its UNet, or AnimateDiff's motion modules.
WITH_ADAPTER = re.compile(r"(?P<base>.+?)(?:\+(?P<kind>lora|motion):(?P<adapter>.+))?")


@dataclass(frozen=True)
class Repository:
    """A folder, or an id on the hub with the revision to take (commit hash, tag or branch). Revision None takes the newest."""

    source: str
    revision: str | None = None

    @classmethod
    def parse(cls, text: str) -> Repository:
        """Parse `id@revision`. A path that exists is taken as it is."""
        if Path(text).exists():
            return cls(text)
        source, _, revision = text.partition("@")
        return cls(source, revision or None)

    def __str__(self) -> str:
        return f"{self.source}@{self.revision}" if self.revision else self.source


@dataclass(frozen=True)
class Location:
    """A pipeline, and its adapter of the given kind (`lora` or `motion`) if it has one."""

    base: Repository
    kind: str | None = None
    adapter: Repository | None = None

    @classmethod
    def parse(cls, text: str | Path) -> Location:
        """Parse the argument of a script.

        >>> Location.parse("a/sd@main+lora:b/lcm").adapter
        Repository(source='b/lcm', revision=None)

        Raises `ValueError` when the text is empty.
        """
        found = WITH_ADAPTER.fullmatch(str(text))
        if found is None:
            raise ValueError("the location of a pipeline is empty: give a folder or a hub id")
        adapter = Repository.parse(found["adapter"]) if found["adapter"] else None
        return cls(Repository.parse(found["base"]), found["kind"], adapter)

    def __str__(self) -> str:
        return f"{self.base}+{self.kind}:{self.adapter}" if self.adapter else str(self.base)

    @property
    def repositories(self) -> list[Repository]:
        return [self.base, *([self.adapter] if self.adapter else [])]
