"""A folder of images with captions: a text file beside each image, or the hub's `metadata.csv` or `metadata.jsonl`."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path, PurePath

from fcr_core.data.folders import files_below
from fcr_core.data.official import choose_captions, refused, say_left_out, text_of
from fcr_core.data.pictures import SUFFIXES
from fcr_core.data.prompt_ids import prompt_ids
from fcr_core.data.registry import CaptionedImage
from fcr_core.data.text_files import read_csv, read_jsonl, read_text

SPLITS = {"train": "train", "validation": "test", "val": "test", "test": "test"}
READERS = {"metadata.csv": read_csv, "metadata.jsonl": read_jsonl}
CAPTION_COLUMNS = ("text", "caption")
SHOWN = 3  # missing files that an error names

# The captions of an image, by its path in the folder.
Captions = dict[PurePath, list[str]]


def records(source: Path) -> list[CaptionedImage]:
    """Return one record for each image that has a caption, named by its path in the folder.

    A first-level folder `train`, `validation`, `val` or `test` decides the split. Images elsewhere are split by hash. Where
    metadata give several captions for an image, a hash of its path chooses one.

    Raises `ValueError` when no image has a caption, when metadata lack their columns or name files that are not there, and when
    two images share a text file.
    """
    captions = choose_captions(source, captions_of(source))
    if not captions:
        raise refused(source, "holds no image with a caption: neither a .txt beside an image nor metadata.csv or metadata.jsonl")
    images = sorted(captions)
    return [
        CaptionedImage(name, captions[image], name, source / image, official_split=SPLITS.get(image.parts[0]))
        for name, image in zip(prompt_ids(images), images, strict=True)
    ]


def captions_of(source: Path) -> Captions:
    """Return the captions of each image, from metadata files or else from text files. Images without one have an empty list."""
    files = [file.relative_to(source) for file in files_below(source)] if source.is_dir() else []
    tables = [file for file in files if file.name.lower() in READERS]
    images = [file for file in files if file.suffix.lower() in SUFFIXES]
    captions: Captions = defaultdict(list, {image: [] for image in images})
    if not tables:
        return captions | texts_beside(source, images, [file for file in files if file.suffix.lower() == ".txt"])
    for table in tables:
        for image, caption in captions_in(source, table):
            captions[image].append(caption)
    return captions


def texts_beside(source: Path, images: list[Path], texts: list[Path]) -> Captions:
    """Return the text of each image that has a text file of its name.

    Raises `ValueError` for two images of one name beside such a file.
    """
    text_of_name: dict[PurePath, Path] = {text.with_suffix(""): text for text in texts}
    captioned: dict[PurePath, Path] = {}
    for image in images:
        name = image.with_suffix("")
        if name in text_of_name and captioned.setdefault(name, image) != image:
            both = f"{captioned[name]} and {image} share the caption {text_of_name[name]}"
            raise refused(source, f"{both}: keep one, or give each its caption in metadata.csv")
    say_left_out(source, "text files without an image", [text for name, text in text_of_name.items() if name not in captioned])
    return {image: [read_text(source / text_of_name[name])] for name, image in captioned.items()}


def captions_in(source: Path, table: Path) -> list[tuple[PurePath, str]]:
    """Return the images and captions of one metadata file. `file_name` is relative to that file."""
    file = source / table
    columns, rows = READERS[table.name.lower()](file)
    column = next((name for name in CAPTION_COLUMNS if name in columns), None)
    if column is None or "file_name" not in columns:
        raise refused(file, f"lacks the columns file_name and text; has {', '.join(columns)}")
    found = []
    for number, row in rows:
        try:
            name, caption = text_of(row.get("file_name")), text_of(row.get(column))
        except TypeError as error:
            raise refused(file, f"line {number}: {error}") from None
        if not name.strip():
            raise refused(file, f"line {number} has no file_name")
        found.append((PurePath(os.path.normpath(table.parent / name)), caption))
    check_present(source, file, [image for image, _ in found])
    return found


def check_present(source: Path, table: Path, images: list[PurePath]) -> None:
    """Raise `ValueError` if images that a metadata file names are not there or lie outside the folder."""
    outside = [image for image in images if image.is_absolute() or image.parts[:1] == (os.pardir,)]
    if outside:
        raise refused(table, f"names {outside[0]}, which is not in the folder {source}")
    missing = [str(image) for image in images if not (source / image).is_file()]
    if missing:
        more = ", ..." if len(missing) > SHOWN else ""
        raise refused(table, f"names {len(missing)} files that are not there: {', '.join(missing[:SHOWN])}{more}")
