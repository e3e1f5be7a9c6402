"""What the readers of official files share: a wrong file refused by name, captions made uniform, one caption an image."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

CAPTION_SEED = 0


def refused(path: Path, why: str) -> ValueError:
    """The error for a file or folder that is not what the reader expects."""
    return ValueError(f"{path}: {why} (docs/data.md says which files are expected)")


def read_json(path: Path) -> Any:
    """The content of a JSON file; anything else is refused."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise refused(path, "not a JSON file") from None


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, only `\\n` ending one; anything else is refused."""
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise refused(path, "not a text file") from None


def tidy(caption: str) -> str:
    """Lower case, as the plan has it, in one line.

    >>> tidy("A  man riding a wave.\\n")
    'a man riding a wave.'
    """
    return " ".join(caption.lower().split())


def one_caption(image: str, captions: Sequence[str]) -> str:
    """The caption that stands for an image that has several: drawn by a hash of its name, so the same in every run."""
    digest = hashlib.sha256(f"{CAPTION_SEED}/{image}".encode()).digest()
    return tidy(captions[int.from_bytes(digest[:8], "big") % len(captions)])


def first_folder(candidates: Iterable[Path]) -> dict[str, Path]:
    """Files by name of the first of the folders that exists; none if there is none: prompts alone are enough to sample."""
    for folder in candidates:
        if folder.is_dir():
            return {path.name: path for path in folder.iterdir()}
    return {}
