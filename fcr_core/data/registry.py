"""The registry of data sets, the record that each of them yields, and the train/test split by concept."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from PIL import Image

TEST_SHARE = 0.15


@dataclass(frozen=True)
class CaptionedImage:
    """One prompt, and the image that it describes if there is one.

    Args:
        prompt_id: names the pair for good, in file names and noise seeds.
        concept: a group that a split never divides.
        path: a file, or a member of a tar (`shards/00000.tar/000000123.jpg`).
        read: makes the picture that is kept. Without it the file stays where it lies.
        official_split: the split of the data set's authors, if they made one.
    """

    prompt_id: str
    prompt: str
    concept: str
    path: Path | None = None
    read: Callable[[Path], Image.Image] | None = None
    official_split: str | None = None

    @property
    def split(self) -> str:
        """`"train"` or `"test"`: the official split, or else one by a hash of the concept, so it is stable when the set grows."""
        if self.official_split:
            return self.official_split
        digest = hashlib.sha256(self.concept.encode()).digest()
        return "test" if int.from_bytes(digest[:8], "big") < TEST_SHARE * 2**64 else "train"

    def image(self) -> Image.Image:
        """Return the picture that `read` makes: RGB at the data set's own size."""
        if self.read is None or self.path is None:
            raise ValueError(f"prompt {self.prompt_id}: the data set makes no picture of its own")
        return self.read(self.path)


# A data set is a module of this package with a function `records() -> list[CaptionedImage]`. If it reads files that the user
# has, the function is `records(source: Path)`.
DATASETS = {
    name: f"fcr_core.data.{name}"
    for name in (
        "twemoji", "noto", "laion", "webdataset", "image_folder", "coco", "flickr30k", "imagenet", "artbench", "partiprompts"
    )
}  # fmt: skip
# Data sets that come in Python packages.
PACKAGED = {"twemoji", "noto"}
WITHOUT_IMAGES = {"partiprompts"}
# The class names of ImageNet come with torchvision; its images do not.
NEEDS_SOURCE = DATASETS.keys() - PACKAGED - {"imagenet"}


def load(name: str, split: str | None = None, source: Path | None = None) -> list[CaptionedImage]:
    """Return all records of a data set in a fixed order, or those of one split (`"train"`, `"test"`).

    `source` is the user's file or folder of a data set that is in no package (`docs/data.md`).

    >>> len(load("twemoji", "train")) > 5 * len(load("twemoji", "test"))
    True

    Raises `ValueError` for an unknown name, for a source that is missing or not the official one, and for a repeated id.
    """
    if name not in DATASETS:
        raise ValueError(f"unknown data set {name!r}: expected one of {sorted(DATASETS)}")
    if source is None and name in NEEDS_SOURCE:
        raise ValueError(f"data set {name!r} needs the config key data.sources.{name}: docs/data.md says what to get")
    if source is not None and not source.exists():
        raise ValueError(f"config key data.sources.{name} = {source}: no such file or folder; docs/data.md says what to get")
    module = import_module(DATASETS[name])
    records = module.records() if source is None else module.records(source)
    if not records:
        raise ValueError(f"{source or name}: holds no record")
    identity, count = Counter(record.prompt_id for record in records).most_common(1)[0]
    if count > 1:
        raise ValueError(f"{source or name}: {count} records are called {identity!r}")
    return [record for record in records if split in (None, record.split)]
