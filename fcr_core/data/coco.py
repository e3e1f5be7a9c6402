"""COCO captions of 2014 and 2017, from the official `captions_*.json`. The images, in the folder beside it, are optional.

Lin et al., 2014, arXiv 1405.0312. An image has five to seven captions, in no order. Some captions end with a line break.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePath

from fcr_core.data.official import choose_captions, first_folder, refused, say_left_out, text_of
from fcr_core.data.registry import DATASETS, CaptionedImage
from fcr_core.data.text_files import read_json

FILE = re.compile(r"captions_(train|val)(2014|2017)\.json")
SPLITS = {"train": "train", "val": "test"}


def records(source: Path) -> list[CaptionedImage]:
    """Return one record for each image of `annotations/captions_val2014.json`, by its id. Images are looked for in `val2014/`.

    The same holds for the other splits and years. The file may be filtered: an image without captions is left out, and so are
    captions of images that it does not list.

    Raises `ValueError` for any other file, including files of other COCO tasks.
    """
    named = FILE.fullmatch(source.name)
    if named is None:
        raise refused(source, "not called captions_{train,val}{2014,2017}.json")
    files, annotations = entries_of(source)
    given: dict[str, list[str]] = {name_of(image): [] for image in sorted(files)}
    for image, _, caption in annotations:
        if image in files:
            given[name_of(image)].append(caption)
    say_left_out(source, "captions of images that it does not list", [own for image, own, _ in annotations if image not in files])
    pictures = first_folder(DATASETS["coco"].beside(source))
    paths = {name_of(image): pictures.get(file) for image, file in files.items()}
    captions = choose_captions(source, given)
    return [CaptionedImage(name, text, name, paths[name], None, SPLITS[named[1]]) for name, text in captions.items()]


def entries_of(source: Path) -> tuple[dict[int, str], list[tuple[int, int, str]]]:
    """Return the file of each image by its id, and of each annotation the image, its own id and its caption, in order."""
    content = read_json(source)
    try:
        files = {int(image["id"]): PurePath(image["file_name"]).name for image in content["images"]}
        return files, sorted((int(a["image_id"]), int(a["id"]), text_of(a["caption"])) for a in content["annotations"])
    except (KeyError, TypeError, ValueError):
        raise refused(source, "not COCO captions: lacks images, or annotations with a caption each") from None


def name_of(image: int) -> str:
    return f"{image:012d}"
