"""Pictures in folders or tar shards: read as RGB, resized and cropped to a square only when they are needed."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from fcr_core.data.tar_shards import in_shard, members_of, read_member

__all__ = ["SUFFIXES", "Pictures", "in_shard", "members_of", "on_white", "read_member", "read_rgb", "rgb"]

SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}
# Pillow's modes of numbers whose range no file states.
UNBOUNDED = {"I": "32-bit integers", "F": "floating-point numbers"}
BITS_PER_SAMPLE, PHOTOMETRIC, WHITE_IS_ZERO = 258, 262, 0  # tags of TIFF


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
    """Read an image file or tar member as RGB: upright, with transparency on white, of an animation the first frame.

    Raises `ValueError`, which names the file or the shard and its member, for anything that is not a whole picture.
    """
    shard, member = in_shard(path)
    content = read_member(shard, member) if shard else path.read_bytes()
    try:
        with Image.open(io.BytesIO(content)) as image:
            return rgb(image)
    except UnidentifiedImageError:
        why = f"not a picture, it begins with {content[:16]!r}" if content else "an empty file, not a picture"
    except Image.DecompressionBombError:
        why = f"a picture of too many pixels: more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,}"
    except Exception as error:  # what decoders raise on broken files depends on the format and on the library
        why = f"a picture that cannot be read, cut off or broken ({' '.join(str(error).split())})"
    raise ValueError(f"{path}: {why}")


def rgb(image: Image.Image) -> Image.Image:
    """Convert to RGB: turned as the EXIF data say, with transparency on white. Of 16 bits the upper 8 are kept.

    Raises `ValueError` for numbers of unknown range (modes I and F), and for a CMYK JPEG that does not say whether 0 is ink.
    """
    tags = getattr(image, "tag_v2", {})
    if image.format == "JPEG" and image.mode == "CMYK" and "adobe" not in image.info:
        raise ValueError("a CMYK JPEG without Adobe's mark does not say whether 0 or 255 is full ink: save it as RGB")
    upright = ImageOps.exif_transpose(image)
    if upright.mode in UNBOUNDED:
        numbers = UNBOUNDED[upright.mode]
        raise ValueError(f"it holds {numbers}, whose range is not known: save it with 8 or 16 bits a channel")
    if upright.mode.startswith("I;16"):
        upright = upper_bits(upright, tags)
    return on_white(upright) if upright.has_transparency_data else upright.convert("RGB")


def upper_bits(image: Image.Image, tags: Mapping[int, Any]) -> Image.Image:
    """Turn grey of 16 bits (12 in some TIFF files) into grey of 8, with alpha if a grey is transparent.

    Pillow does the same with colours of 16 bits, but would clip grey at 255. `tags` are those of a TIFF file.
    """
    bits = tags.get(BITS_PER_SAMPLE, (16,))[0]
    values = np.asarray(image).astype(np.uint16)
    if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        values = 2**bits - 1 - values
    grey = Image.fromarray((values >> (bits - 8)).astype(np.uint8))
    if "transparency" not in image.info:
        return grey
    alpha = Image.fromarray(np.where(values == image.info["transparency"], 0, 255).astype(np.uint8))
    return Image.merge("LA", (grey, alpha))


def on_white(image: Image.Image) -> Image.Image:
    """Put an image with alpha on white, as RGB."""
    art = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", art.size, "white"), art).convert("RGB")
