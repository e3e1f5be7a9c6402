"""Code that the readers of data sets share: refuse a wrong file by name, tidy captions, choose one caption an image."""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

log = logging.getLogger(__name__)
CAPTION_SEED = 0
Image = TypeVar("Image", bound=Hashable)


def refused(path: Path, why: str) -> ValueError:
    """Make the error for a file or folder that is not what the reader expects."""
    return ValueError(f"{path}: {why} (docs/data.md says which files are expected)")


def tidy(caption: str) -> str:
    """Put a caption into lower case, as the plan has it, and into one line.

    >>> tidy("A  man riding a wave.\\n")
    'a man riding a wave.'
    """
    return " ".join(caption.lower().split())


def text_of(value: object) -> str:
    """Return a value of JSON as a caption: text as it is, numbers as text, a missing value as "".

    Half of a character, as in a caption that was cut inside an emoji, is dropped: no file of text can hold it.

    >>> [text_of(value) for value in ("None", 5, None, float("nan"), "cat \\ud83d")]
    ['None', '5', '', '', 'cat ']

    Raises `TypeError` for anything else.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return value.encode(errors="ignore").decode()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise TypeError(f"a caption must be text, not {type(value).__name__}")


def one_caption(image: str, captions: Sequence[str]) -> str:
    """Choose one caption of an image that has several.

    A hash of the image's name decides, so the choice is the same in every run.
    """
    digest = hashlib.sha256(f"{CAPTION_SEED}/{image}".encode(errors="surrogatepass")).digest()
    return tidy(captions[int.from_bytes(digest[:8], "big") % len(captions)])


def choose_captions(source: Path, captions: Mapping[Image, Sequence[str]]) -> dict[Image, str]:
    """Return one caption for each image, by the image's name or path.

    A blank caption is none. An image that has no other is left out, and the log says how many were.
    """
    given = {image: [text for text in texts if text.strip()] for image, texts in captions.items()}
    say_left_out(source, "images without a caption", [image for image, texts in given.items() if not texts])
    return {image: one_caption(str(image), texts) for image, texts in given.items() if texts}


def say_left_out(source: Path, what: str, names: Sequence[object]) -> None:
    """Say in the log how many of a data set's files or entries are left out, and name the first. Of none say nothing."""
    if names:
        log.warning("%s: left out %s: %d, the first is %s", source, what, len(names), names[0])


def first_folder(candidates: Iterable[Path]) -> dict[str, Path]:
    """Return the files of the first of the folders that exists, by name.

    If none exists the result is empty: prompts alone are enough to sample.
    """
    for folder in candidates:
        if folder.is_dir():
            return {path.name: path for path in folder.iterdir()}
    return {}
