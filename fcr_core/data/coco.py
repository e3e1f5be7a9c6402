"""COCO captions of 2014 and 2017, from the official `captions_*.json`. The images, in the folder beside it, are optional.

Lin et al., 2014, arXiv 1405.0312. An image has five to seven captions, in no order. Some captions end with a line break.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from fcr_core.data.official import first_folder, one_caption, read_json, refused
from fcr_core.data.registry import CaptionedImage

FILE = re.compile(r"captions_(train|val)(2014|2017)\.json")
SPLITS = {"train": "train", "val": "test"}


def records(source: Path) -> list[CaptionedImage]:
    """Return one record for each image of `annotations/captions_val2014.json`, by its id. Images are looked for in `val2014/`.

    The same holds for the other splits and years.

    Raises `ValueError` for any other file, including files of other COCO tasks.
    """
    named = FILE.fullmatch(source.name)
    if named is None:
        raise refused(source, "not called captions_{train,val}{2014,2017}.json")
    part, year = named.groups()
    try:
        content = read_json(source)
        files = {image["id"]: image["file_name"] for image in content["images"]}
        annotations = sorted((a["image_id"], a["id"], a["caption"]) for a in content["annotations"])
    except (KeyError, TypeError):
        raise refused(source, "not COCO captions: lacks images, or annotations with a caption each") from None
    captions = defaultdict(list)
    for image, _, caption in annotations:
        captions[image].append(caption)
    pictures = first_folder([source.parent.parent / f"{part}{year}"])
    return [
        CaptionedImage(name, one_caption(name, captions[image]), name, pictures.get(files[image]), None, SPLITS[part])
        for image in sorted(captions)
        for name in [f"{image:012d}"]
    ]
