"""Emoji and signs in six styles, as vector pictures (licences: `icons/styles.py`): single styles of a concept are held out.

So a model is asked for what it knows, in a style that it knows, and has never seen the two together.
"""

from __future__ import annotations

from pathlib import Path

from fcr_core.data.icons.selection import Picture, pictures
from fcr_core.data.icons.split import held_out_style, unseen
from fcr_core.data.icons.styles import Style
from fcr_core.data.registry import CaptionedImage


def records(source: Path) -> list[CaptionedImage]:
    """Return a record for each picture of a concept that training sees. `source` is the folder of the six tarballs.

    If a concept is held out in a style, all its skin tones are held out in that style. At least two other styles have it in the
    training split.

    Raises `ValueError` for a tarball that is missing or not the official one.
    """
    seen = [picture for picture in pictures(source) if not unseen(picture.shows.concept)]
    held_out = held_out_styles(seen)
    return [picture.record("test" if held_out[picture.shows.concept] == picture.style else "train") for picture in seen]


def held_out_styles(seen: list[Picture]) -> dict[str, Style | None]:
    """Return the style in which each concept is held out, or None."""
    styles: dict[str, dict[Style, None]] = {}
    for picture in seen:
        styles.setdefault(picture.shows.concept, {})[picture.style] = None
    return {concept: held_out_style(concept, having) for concept, having in styles.items()}
