"""The record every data set yields, the registry of data sets, and the split by concept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from PIL import Image

TEST_SHARE = 0.15


@dataclass(frozen=True)
class CaptionedImage:
    """One image with its caption.

    `prompt_id` names the pair for good (file names, noise seeds); `concept` is what a split never divides.
    """

    prompt_id: str
    prompt: str
    concept: str
    path: Path
    read: Callable[[Path], Image.Image]

    @property
    def split(self) -> str:
        """`"train"` or `"test"`, by a hash of the concept: it does not move when the data set grows."""
        digest = hashlib.sha256(self.concept.encode()).digest()
        return "test" if int.from_bytes(digest[:8], "big") < TEST_SHARE * 2**64 else "train"

    def image(self) -> Image.Image:
        """RGB at the data set's own size."""
        return self.read(self.path)


# A data set is a module of this package with a function `records() -> list[CaptionedImage]`.
DATASETS = {
    "twemoji": "fcr_core.data.twemoji",
    "noto": "fcr_core.data.noto",
}


def load(name: str, split: str | None = None) -> list[CaptionedImage]:
    """All records of a data set in a fixed order, or those of one split (`"train"`, `"test"`).

    >>> len(load("twemoji", "train")) > 5 * len(load("twemoji", "test"))
    True

    Raises `ValueError` for a name that is not registered.
    """
    if name not in DATASETS:
        raise ValueError(f"unknown data set {name!r}: expected one of {sorted(DATASETS)}")
    records = import_module(DATASETS[name]).records()
    return [record for record in records if split in (None, record.split)]
