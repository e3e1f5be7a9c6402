"""ArtBench-10: paintings in ten styles, for each 5 k training and 1 k test images, in the official image folder.

Liao et al., 2022, arXiv 2206.11404. The concept is the style. Training draws concepts uniformly, so styles are balanced.
"""

from __future__ import annotations

from pathlib import Path

from fcr_core.data.official import refused
from fcr_core.data.pictures import SUFFIXES
from fcr_core.data.registry import CaptionedImage

STYLES = [
    "art_nouveau", "baroque", "expressionism", "impressionism", "post_impressionism",
    "realism", "renaissance", "romanticism", "surrealism", "ukiyo_e",
]  # fmt: skip


def records(source: Path) -> list[CaptionedImage]:
    """Return one record for each image of `artbench-10-imagefolder-split/{train,test}/{style}/`.

    Raises `ValueError` when a split or a style is missing.
    """
    missing = [f"{split}/{style}" for split in ("train", "test") for style in STYLES if not (source / split / style).is_dir()]
    if missing:
        raise refused(source, f"not artbench-10-imagefolder-split: lacks {missing[0]}/")
    return [
        CaptionedImage(f"{style}-{path.stem}", prompt_of(style), style, path, official_split=split)
        for split in ("train", "test")
        for style in STYLES
        for path in sorted((source / split / style).iterdir())
        if path.suffix.lower() in SUFFIXES
    ]


def prompt_of(style: str) -> str:
    """Return the prompt of every image of a style.

    >>> prompt_of("ukiyo_e")
    'a painting in the style of ukiyo e'
    """
    return f"a painting in the style of {style.replace('_', ' ')}"
