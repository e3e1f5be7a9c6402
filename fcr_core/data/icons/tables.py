"""Read the shipped tables: a line `a = b` for each entry."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def table(name: str) -> dict[str, str]:
    """Return a table of this folder. Lines that begin with `#` are comments.

    >>> table("names.txt")["phoenix-bird"]
    'phoenix'
    """
    lines = files(__package__).joinpath(name).read_text(encoding="utf-8").splitlines()
    return dict(line.split(" = ") for line in lines if line and not line.startswith("#"))
