"""Code that the emoji data sets share: characters to captions and concepts, and transparent PNG to RGB on white."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import emoji
from PIL import Image

from fcr_core.data.pictures import on_white
from fcr_core.data.registry import CaptionedImage

SIZE = 64
VARIATION_SELECTOR = "\ufe0f"
SKIN_TONE = re.compile(r" (?:medium-light|medium-dark|medium|light|dark) skin tone")


@cache
def captions() -> dict[str, str]:
    """Return a dictionary: emoji sequence (without variation selectors) -> English CLDR name, `"waving hand light skin tone"`."""
    return {
        char.replace(VARIATION_SELECTOR, ""): data["en"].strip(":").replace("_", " ") for char, data in emoji.EMOJI_DATA.items()
    }


def caption_of(codepoints: str) -> str | None:
    """Return the caption of a sequence like `"1f44b-1f3fb"`, or None for art that is not a named emoji."""
    sequence = "".join(chr(int(point, 16)) for point in codepoints.split("-"))
    return captions().get(sequence.replace(VARIATION_SELECTOR, ""))


def concept_of(caption: str) -> str:
    """Return the caption without its skin tones. The train/test split keeps each concept whole.

    >>> concept_of("men holding hands light skin tone medium-dark skin tone")
    'men holding hands'
    """
    return SKIN_TONE.sub("", caption)


def captioned(files: Iterable[tuple[str, Path]], art_elsewhere: Iterable[bytes] = ()) -> list[CaptionedImage]:
    """Return the records of those (codepoints, file) pairs that are named emoji, each picture once.

    Some emoji share their art, such as the flags of Norway and of Bouvet Island. A copy could stand on both sides of the split.
    """
    records, seen = [], set(art_elsewhere)
    for codepoints, file in files:
        caption, art = caption_of(codepoints), file.read_bytes()
        if caption is not None and art not in seen:
            seen.add(art)
            records.append(CaptionedImage(codepoints, caption, concept_of(caption), file, read_on_white))
    return records


def read_on_white(path: Path, size: int | None = None) -> Image.Image:
    """Read a PNG with alpha as RGB on white, `size` pixels a side, by default `SIZE`."""
    return on_white(Image.open(path)).resize((size or SIZE,) * 2, Image.Resampling.LANCZOS)
