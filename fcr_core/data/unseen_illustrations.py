"""The concepts of `illustrations` that training sees in no style: a harder test, on the same files."""

from __future__ import annotations

from pathlib import Path

from fcr_core.data.icons.selection import pictures
from fcr_core.data.icons.split import unseen
from fcr_core.data.registry import CaptionedImage


def records(source: Path) -> list[CaptionedImage]:
    """Return a record for each picture of an unseen concept, all in the test split. `source` is the folder of the six tarballs.

    Raises `ValueError` for a tarball that is missing or not the official one.
    """
    return [picture.record("test") for picture in pictures(source) if unseen(picture.shows.concept)]
