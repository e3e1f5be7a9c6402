"""The record every data set yields, the registry of data sets, and the split by concept."""

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

    `prompt_id` names the pair for good (file names, noise seeds); `concept` is what a split never divides. `path` is a file, or a
    member of a tar (`shards/00000.tar/000000123.jpg`). `read` makes the picture that is kept; without it the file stays where it
    lies. `official_split` is that of the data set's authors, where they made one.
    """

    prompt_id: str
    prompt: str
    concept: str
    path: Path | None = None
    read: Callable[[Path], Image.Image] | None = None
    official_split: str | None = None

    @property
    def split(self) -> str:
        """`"train"` or `"test"`: the official one, or by a hash of the concept, so that it does not move when the set grows."""
        if self.official_split:
            return self.official_split
        digest = hashlib.sha256(self.concept.encode()).digest()
        return "test" if int.from_bytes(digest[:8], "big") < TEST_SHARE * 2**64 else "train"

    def image(self) -> Image.Image:
        """The picture that `read` makes: RGB at the data set's own size."""
        if self.read is None or self.path is None:
            raise ValueError(f"prompt {self.prompt_id}: the data set makes no picture of its own")
        return self.read(self.path)


# A data set is a module of this package with a function `records() -> list[CaptionedImage]`, or, where it reads files that the
# user has, `records(source: Path)`.
DATASETS = {
    name: f"fcr_core.data.{name}"
    for name in (
        "twemoji", "noto", "laion", "webdataset", "image_folder", "coco", "flickr30k", "imagenet", "artbench", "partiprompts"
    )
}  # fmt: skip
# In Python packages.
PACKAGED = {"twemoji", "noto"}
WITHOUT_IMAGES = {"partiprompts"}
# The class names of ImageNet come with torchvision; its images do not.
NEEDS_SOURCE = DATASETS.keys() - PACKAGED - {"imagenet"}


def load(name: str, split: str | None = None, source: Path | None = None) -> list[CaptionedImage]:
    """All records of a data set in a fixed order, or those of one split (`"train"`, `"test"`).

    >>> len(load("twemoji", "train")) > 5 * len(load("twemoji", "test"))
    True

    `source` is the file or folder that the user has of a set that is in no package (`docs/data.md`).

    Raises `ValueError` for a name that is not registered, a source that is missing or not the official one, and a repeated id.
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
