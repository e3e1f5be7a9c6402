"""Pictures in folders or tar shards: read as RGB, resized and cropped to a square only when they are needed."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import overload

from PIL import Image, ImageOps

from fcr_core.data.official import refused

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


class Pictures(Sequence[Image.Image]):
    """A sequence of RGB images, given by their paths. Each is read when it is asked for: 50 k of them at 512² would take 39 GB.

    `size` is the side of the square that each image is resized and centre-cropped to. None leaves images as they are.
    """

    def __init__(self, paths: list[str], size: int | None = None) -> None:
        self.paths, self.size = paths, size

    @classmethod
    def of(cls, folder: Path, prompt_ids: list[str]) -> Pictures:
        """Return the pictures `images/{prompt_id}.png` of a sample folder, or of a data set that draws its own pictures."""
        return cls([str(folder / "images" / f"{prompt_id}.png") for prompt_id in prompt_ids])

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> Image.Image: ...
    @overload
    def __getitem__(self, index: slice) -> list[Image.Image]: ...
    def __getitem__(self, index: int | slice) -> Image.Image | list[Image.Image]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        image = read_rgb(Path(self.paths[index]))
        return image if self.size is None else ImageOps.fit(image, (self.size, self.size), Image.Resampling.LANCZOS)


def read_rgb(path: Path) -> Image.Image:
    """Read an image file or tar member as RGB: upright, with transparency on white."""
    shard, member = in_shard(path)
    data = io.BytesIO(read_member(shard, member)) if shard else path
    with Image.open(data) as image:
        return rgb(image)


def rgb(image: Image.Image) -> Image.Image:
    """Convert to RGB: turned as the EXIF data say, with transparency on white."""
    upright = ImageOps.exif_transpose(image)
    return on_white(upright) if upright.has_transparency_data else upright.convert("RGB")


def on_white(image: Image.Image) -> Image.Image:
    """Put an image with alpha on white, as RGB."""
    art = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", art.size, "white"), art).convert("RGB")


def in_shard(path: Path) -> tuple[Path | None, str]:
    """Split `a/00000.tar/b/1.jpg` into `a/00000.tar` and `b/1.jpg`. For a plain file the shard is None."""
    shard = next((parent for parent in path.parents if parent.suffix == ".tar"), None)
    return shard, str(path.relative_to(shard)) if shard else ""


@lru_cache(maxsize=64)
def members_of(shard: Path) -> dict[str, tuple[int, int]]:
    """Return where each file of an uncompressed tar starts and how long it is, in bytes."""
    try:
        with tarfile.open(shard, "r:") as tar:
            return {member.name: (member.offset_data, member.size) for member in tar if member.isfile()}
    except tarfile.TarError:
        raise refused(shard, "not an uncompressed tar file") from None


def read_member(shard: Path, member: str) -> bytes:
    """Return the content of one file of a tar."""
    start, size = members_of(shard)[member]
    with shard.open("rb") as file:
        file.seek(start)
        return file.read(size)
