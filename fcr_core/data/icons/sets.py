"""Read the packages of icons, and draw their pictures."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import resvg_py
from PIL import Image

from fcr_core.data.icons.styles import STYLES, Style
from fcr_core.data.official import refused
from fcr_core.data.pictures import on_white
from fcr_core.jobs.job import sha256_of

SIZE = 64
ICONS = "package/icons.json"
# Iconify's own defaults, where neither the icon nor its set says anything.
DEFAULTS = {"left": 0, "top": 0, "width": 16, "height": 16, "hidden": False}


class Icon(NamedTuple):
    """A vector picture.

    Args:
        body: the inside of an SVG element.
        left, top, width, height: the part of the plane that is seen.
        hidden: a name that later versions of the set gave up.
    """

    body: str
    left: float
    top: float
    width: float
    height: float
    hidden: bool


def tarball_in(folder: Path, style: Style) -> Path:
    """Return the file of a style in a folder of tarballs. Raises `ValueError` if it is not there or not the official one."""
    file = folder / style.tarball
    if not file.is_file():
        raise refused(file, f"no such file: get it from {style.url}")
    if (found := sha256_of(file)) != style.sha256:
        raise refused(file, f"another file under this name: its SHA-256 is {found}, but {style.url} has {style.sha256}")
    return file


@lru_cache(maxsize=len(STYLES))
def read_icons(tarball: Path) -> Mapping[str, Icon]:
    """Return the icons of a package by name, in its order, without aliases: these are the same pictures under other names.

    Raises `ValueError` for a file that is no package of icons.
    """
    try:
        with tarfile.open(tarball) as tar:
            content = json.load(tar.extractfile(ICONS) or io.BytesIO())
        shared = DEFAULTS | {key: content[key] for key in DEFAULTS if key in content}
        return {name: icon_of(shared | entry) for name, entry in content["icons"].items()}
    except (tarfile.TarError, EOFError, KeyError, ValueError) as error:
        raise refused(tarball, f"no package of icons ({' '.join(str(error).split())})") from None


def icon_of(entry: Mapping) -> Icon:
    return Icon(*(entry[field] for field in Icon._fields))


def draw(path: Path, size: int | None = None) -> Image.Image:
    """Draw an icon, given as `{tarball}/{name}`: RGB on white, `size` pixels a side, by default `SIZE`."""
    return on_white(Image.open(io.BytesIO(rendered(read_icons(path.parent)[path.name], size or SIZE))))


def rendered(icon: Icon, size: int) -> bytes:
    """Return an icon as PNG with alpha, `size` pixels a side. What is not square is put into the middle of a square."""
    return bytes(resvg_py.svg_to_bytes(svg_string=svg_of(icon), width=size, height=size))


def svg_of(icon: Icon) -> str:
    """Return an icon as a square SVG.

    >>> svg_of(Icon("<path/>", 0, 0, 36, 26, False)).split(">")[0]
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0.0 -5.0 36 36"'
    """
    side = max(icon.width, icon.height)
    left, top = icon.left - (side - icon.width) / 2, icon.top - (side - icon.height) / 2
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg {spaces} viewBox="{left} {top} {side} {side}">{icon.body}</svg>'
