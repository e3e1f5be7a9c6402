"""Code that the readers of official files share: refuse a wrong file by name, tidy captions, choose one caption an image."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

CAPTION_SEED = 0


def refused(path: Path, why: str) -> ValueError:
    """Make the error for a file or folder that is not what the reader expects."""
    return ValueError(f"{path}: {why} (docs/data.md says which files are expected)")


def read_json(path: Path) -> Any:
    """Return the content of a JSON file. Raises `ValueError` for anything else."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise refused(path, "not a JSON file") from None


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file. Only `\\n` ends a line. Raises `ValueError` for anything else."""
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise refused(path, "not a text file") from None


def tidy(caption: str) -> str:
    """Put a caption into lower case, as the plan has it, and into one line.

    >>> tidy("A  man riding a wave.\\n")
    'a man riding a wave.'
    """
    return " ".join(caption.lower().split())


def one_caption(image: str, captions: Sequence[str]) -> str:
    """Choose one caption of an image that has several.

    A hash of the image's name decides, so the choice is the same in every run.
    """
    digest = hashlib.sha256(f"{CAPTION_SEED}/{image}".encode()).digest()
    return tidy(captions[int.from_bytes(digest[:8], "big") % len(captions)])


def first_folder(candidates: Iterable[Path]) -> dict[str, Path]:
    """Return the files of the first of the folders that exists, by name.

    If none exists the result is empty: prompts alone are enough to sample.
    """
    for folder in candidates:
        if folder.is_dir():
            return {path.name: path for path in folder.iterdir()}
    return {}
