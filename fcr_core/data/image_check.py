"""Turn bytes from an unknown source into a JPEG of known size, safely.

The format is found by its magic number. The pixels are counted before they are decoded.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image, ImageOps

from fcr_core.data.pictures import rgb
from fcr_core.data.rejected import Rejected

# Only Pillow's decoders of these formats ever see the bytes.
MAGIC = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG\r\n\x1a\n", "WEBP": b"RIFF"}
JPEG_QUALITY = 95
MAX_PIXELS = 50_000_000


@dataclass(frozen=True)
class CheckedImage:
    """A JPEG, its size, and the size of the image that was received. Sizes are (width, height)."""

    jpeg: bytes
    size: tuple[int, int]
    original_size: tuple[int, int]


def checked(data: bytes, side: int, max_pixels: int = MAX_PIXELS) -> CheckedImage:
    """Return `data` as an RGB JPEG whose smaller side is `side`. The aspect ratio is kept.

    Raises `Rejected` with one of these reasons: `not_an_image` (no JPEG, PNG or WebP), `too_many_pixels`, `too_small` (a side
    below `side`), `truncated` (does not decode to its end).
    """
    kind = next((kind for kind, magic in MAGIC.items() if data.startswith(magic)), None)
    if kind is None:
        raise Rejected("not_an_image")
    try:
        image = Image.open(io.BytesIO(data), formats=[kind])
    except Image.DecompressionBombError:
        raise Rejected("too_many_pixels") from None
    except (OSError, ValueError, SyntaxError):
        raise Rejected("not_an_image") from None
    if image.width * image.height > max_pixels:
        raise Rejected("too_many_pixels")
    if min(image.size) < side:
        raise Rejected("too_small")
    try:
        shrunk = ImageOps.cover(rgb(image), (side, side), Image.Resampling.LANCZOS)
    except (OSError, ValueError, SyntaxError):
        raise Rejected("truncated") from None
    jpeg = io.BytesIO()
    shrunk.save(jpeg, "JPEG", quality=JPEG_QUALITY)
    return CheckedImage(jpeg.getvalue(), shrunk.size, image.size)
