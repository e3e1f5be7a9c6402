"""The pictures that are used of the six styles: one for each caption, without what another style or concept already has."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from fcr_core.data.icons.names import Name, clean
from fcr_core.data.icons.sets import draw, read_icons, tarball_in
from fcr_core.data.icons.styles import STYLES, Style
from fcr_core.data.icons.tables import table
from fcr_core.data.registry import CaptionedImage


class Picture(NamedTuple):
    """An icon of a style: where it lies, and what it shows."""

    style: Style
    icon: str
    shows: Name
    path: Path

    @property
    def key(self) -> str:
        """Return its name in `copies.txt`: `noto/red-apple`."""
        return f"{self.style.package}/{self.icon}"

    @property
    def group(self) -> tuple[Style, str]:
        """Return what a split never divides: all skin tones of a concept in a style."""
        return self.style, self.shows.concept

    def record(self, split: str) -> CaptionedImage:
        """Return its record: caption `red apple, Noto style`, id `noto-red-apple`."""
        caption = f"{self.shows.words}, {self.style.name} style"
        return CaptionedImage(f"{self.style.package}-{self.icon}", caption, self.shows.concept, self.path, draw, split)


def pictures(folder: Path) -> list[Picture]:
    """Return the pictures that are used, style by style. Raises `ValueError` for a folder without the six official tarballs."""
    return [picture for picture in captioned(folder) if picture.key not in table("copies.txt")]


def captioned(folder: Path) -> list[Picture]:
    """Return one picture for each caption. If several names of a style mean the same, one that later versions still have."""
    chosen: dict[tuple[Style, str], Picture] = {}
    for style in STYLES:
        tarball = tarball_in(folder, style)
        for name, _ in sorted(read_icons(tarball).items(), key=lambda item: item[1].hidden):
            shows = clean(name, style.package)
            chosen.setdefault((style, shows.words), Picture(style, name, shows, tarball / name))
    return list(chosen.values())
