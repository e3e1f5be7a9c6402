"""The registry of data sets, the record that each of them yields, and the train/test split by concept."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

from PIL import Image

from fcr_core.data.prompt_ids import safe

TEST_SHARE = 0.15
# Stands for a byte of a file's name that is not UTF-8.
NOT_TEXT = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class CaptionedImage:
    """One prompt, and the image that it describes if there is one.

    Args:
        prompt_id: names the pair for good, in file names and noise seeds.
        concept: what the picture shows. A split by its hash never divides a concept; an official split may.
        path: a file, or a member of a tar (`shards/00000.tar/000000123.jpg`).
        read: makes the picture that is kept. Without it the file stays where it lies.
        official_split: the split of the data set's authors, if they made one.
    """

    prompt_id: str
    prompt: str
    concept: str
    path: Path | None = None
    read: Callable[[Path, int | None], Image.Image] | None = None
    official_split: str | None = None

    @property
    def split(self) -> str:
        """`"train"` or `"test"`: the official split, or else one by a hash of the concept, so it is stable when the set grows."""
        if self.official_split:
            return self.official_split
        digest = hashlib.sha256(self.concept.encode()).digest()
        return "test" if int.from_bytes(digest[:8], "big") < TEST_SHARE * 2**64 else "train"

    def image(self, size: int | None = None) -> Image.Image:
        """Return the picture that `read` makes: RGB, `size` pixels a side or at the data set's own size."""
        if self.read is None or self.path is None:
            raise ValueError(f"prompt {self.prompt_id}: the data set makes no picture of its own")
        return self.read(self.path, size)


def nothing_beside(source: Path) -> list[Path]:
    return []


def pictures_of_coco(captions: Path) -> list[Path]:
    return [captions.parent.parent / captions.stem.removeprefix("captions_")]


def pictures_of_flickr30k(captions: Path) -> list[Path]:
    return [captions.parent / name for name in ("flickr30k-images", "flickr30k_images")]


def development_kit(images: Path) -> list[Path]:
    return [folder / "ILSVRC2012_devkit_t12" / "data" for folder in (images, images.parent)]


@dataclass(frozen=True)
class DataSet:
    """An entry of the registry. It names a module of this package with a function `records() -> list[CaptionedImage]`.

    If the module reads files that the user has, the function is `records(source: Path)`.

    Args:
        name: of the module and in the configuration.
        reads: "package" (its files come with a Python package), "files" of the user, "either", or "download" (a rule fetches its
            files, unless the user has them).
        images: number of pictures (training, held out) by the official split; None = only the user's files say.
        prompts: number of held-out prompts of different concepts; None = only the user's files say.
        has_images: its prompts have pictures.
        noise_prefix: what the noise of a prompt depends on beside its id, so that no two sets share noise.
        beside: the folders that are read together with `source`; they need not exist.
        files_of: the set whose files it reads, if not its own.
    """

    name: str
    reads: Literal["package", "files", "either", "download"] = "files"
    images: tuple[int, int] | None = None
    prompts: int | None = None
    has_images: bool = True
    noise_prefix: str | None = None
    beside: Callable[[Path], list[Path]] = nothing_beside
    files_of: str | None = None

    @property
    def module(self) -> str:
        return f"fcr_core.data.{self.name}"

    @property
    def owner(self) -> str:
        """The set whose files it reads: another one, or itself."""
        return self.files_of or self.name

    @property
    def noise_id(self) -> str:
        """The beginning of the ids that noise depends on: the set's name, unless the entry says something else."""
        return f"{self.name}/" if self.noise_prefix is None else self.noise_prefix


# The noise of these sets has depended on the prompt's id alone from the start: another prefix would draw other images.
DATASETS = {
    entry.name: entry
    for entry in (
        DataSet("twemoji", "package", (3459, 491), 286, noise_prefix=""),
        DataSet("noto", "package", (2844, 462), 272, noise_prefix=""),
        DataSet("laion", noise_prefix=""),
        DataSet("webdataset", noise_prefix=""),
        DataSet("image_folder", noise_prefix=""),
        DataSet("coco", images=(0, 40504), prompts=40504, noise_prefix="", beside=pictures_of_coco),
        DataSet("flickr30k", images=(0, 31783), prompts=31783, noise_prefix="", beside=pictures_of_flickr30k),
        DataSet("imagenet", "either", images=(0, 50000), noise_prefix="", beside=development_kit),
        DataSet("artbench", images=(50000, 10000), noise_prefix=""),
        DataSet("partiprompts", images=(0, 1632), prompts=1632, has_images=False, noise_prefix=""),
        DataSet("illustrations", "download", (17061, 2120), 1090),
        DataSet("unseen_illustrations", "download", (0, 874), 113, files_of="illustrations"),
    )
}


def load(name: str, split: str | None = None, source: Path | None = None) -> list[CaptionedImage]:
    """Return all records of a data set in a fixed order, or those of one split (`"train"`, `"test"`).

    `source` is the user's file or folder of a data set that is in no package (`docs/data.md`).

    >>> len(load("twemoji", "train")) > 5 * len(load("twemoji", "test"))
    True

    Raises `ValueError` for an unknown name, for a source that is missing or not the official one, and for an id that is repeated
    or cannot be the name of a file.
    """
    if name not in DATASETS:
        raise ValueError(f"unknown data set {name!r}: expected one of {sorted(DATASETS)}")
    if source is None and DATASETS[name].reads in ("files", "download"):
        key = f"datasets.{DATASETS[name].owner}.source"
        raise ValueError(f"data set {name!r} needs the config key {key}: docs/data.md says what to get")
    if source is not None and not source.exists():
        raise ValueError(f"config key datasets.{name}.source = {source}: no such file or folder; docs/data.md says what to get")
    module = import_module(DATASETS[name].module)
    records = module.records() if source is None else module.records(source)
    if not records:
        raise ValueError(f"{source or name}: holds no record")
    check_names(records, source or Path(name))
    return [record for record in records if split in (None, record.split)]


def check_names(records: list[CaptionedImage], origin: Path) -> None:
    """Raise `ValueError` if an id is repeated or cannot be the name of a file, or if the name of an image is no text."""
    identity, count = Counter(record.prompt_id for record in records).most_common(1)[0]
    if count > 1:
        paths = [str(record.path) for record in records if record.prompt_id == identity and record.path]
        raise ValueError(f"{origin}: {count} records are called {identity!r}" + f": {' and '.join(paths[:2])}" * bool(paths))
    for record in records:
        if record.prompt_id != safe(record.prompt_id):
            raise ValueError(f"{origin}: prompt id {record.prompt_id!r} cannot name a file; fcr_core.data.prompt_ids makes ids")
        if NOT_TEXT.search(str(record.path)):
            raise ValueError(f"{str(record.path)!r}: the file's name is not UTF-8, rename it")
