"""ArtBench-10: paintings in ten styles, for each 5 k training and 1 k test images, in the official image folder.

Liao et al., 2022, arXiv 2206.11404. The concept is the style. Training draws concepts uniformly, so styles are balanced.
"""

from __future__ import annotations

import logging
from pathlib import Path, PurePath

from fcr_core.data.folders import files_below
from fcr_core.data.official import refused
from fcr_core.data.pictures import SUFFIXES
from fcr_core.data.prompt_ids import distinct, prompt_ids
from fcr_core.data.registry import CaptionedImage

log = logging.getLogger(__name__)
STYLES = [
    "art_nouveau", "baroque", "expressionism", "impressionism", "post_impressionism",
    "realism", "renaissance", "romanticism", "surrealism", "ukiyo_e",
]  # fmt: skip


def records(source: Path) -> list[CaptionedImage]:
    """Return one record for each image of `artbench-10-imagefolder-split/{train,test}/{style}/`.

    If a name is there twice, each prompt id begins with its split. If it is in both splits, the log says so.

    Raises `ValueError` when a split or a style is missing or holds no image.
    """
    places = [(split, style) for split in ("train", "test") for style in STYLES]
    paintings = [(*place, path) for place in places for path in paintings_in(source, *place)]
    names = distinct([(PurePath(split), PurePath(style, path.name)) for split, style, path in paintings])
    in_train, in_test = ({(style, path.stem) for part, style, path in paintings if part == split} for split in ("train", "test"))
    if shared := sorted(in_train & in_test):
        log.warning("%s: paintings of one name in train/ and test/: %d, the first is %s/%s", source, len(shared), *shared[0])
    return [
        CaptionedImage(name, prompt_of(style), style, path, official_split=split)
        for name, (split, style, path) in zip(prompt_ids(names), paintings, strict=True)
    ]


def paintings_in(source: Path, split: str, style: str) -> list[Path]:
    folder = source / split / style
    if not folder.is_dir():
        raise refused(source, f"not artbench-10-imagefolder-split: lacks {split}/{style}/")
    paintings = [path for path in files_below(folder) if path.suffix.lower() in SUFFIXES]
    if not paintings:
        raise refused(folder, "holds no painting")
    return paintings


def prompt_of(style: str) -> str:
    """Return the prompt of every image of a style.

    >>> prompt_of("ukiyo_e")
    'a painting in the style of ukiyo e'
    """
    return f"a painting in the style of {style.replace('_', ' ')}"
