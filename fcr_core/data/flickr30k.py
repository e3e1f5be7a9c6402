"""Flickr30k captions, in the four file formats that are in circulation. The images, in a folder beside the file, are optional.

Young et al., 2014 (TACL 2:67). Splits of Karpathy & Fei-Fei, 2015, arXiv 1412.2306. A file without these splits puts all images
into the test split, as the plan has it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path, PurePath

from fcr_core.data.official import choose_captions, first_folder, refused, text_of
from fcr_core.data.prompt_ids import prompt_ids
from fcr_core.data.registry import DATASETS, CaptionedImage
from fcr_core.data.text_files import read_csv, read_json, read_lines

SPLITS = {"train": "train", "val": "train", "test": "test"}
# `2199242200.jpg| 4   A dog runs across the grass .` lacks its second delimiter.
CSV_ROW = re.compile(r"(\S+\.jpe?g) *\| *(\d+) *\|? *(.*)", re.IGNORECASE)
TOKEN_ROW = re.compile(r"(\S+\.jpe?g)#(\d+)\t?(.*)", re.IGNORECASE)

# An image's file name, its captions in order, and its split.
Entry = tuple[str, list[str], str]


def records(source: Path) -> list[CaptionedImage]:
    """Return one record for each image that has a caption, named after its file.

    Raises `ValueError` for a file name that is not in `FORMATS`, and for a line of another form; the message gives the row
    number.
    """
    if source.name not in FORMATS:
        raise refused(source, f"not called {' or '.join(FORMATS)}")
    pictures = first_folder(DATASETS["flickr30k"].beside(source))
    entries = sorted(FORMATS[source.name](source), key=lambda entry: entry[0])
    chosen = choose_captions(source, {name: captions for name, captions, _ in entries})
    ids = prompt_ids([PurePath(name) for name, _, _ in entries])
    return [
        CaptionedImage(prompt_id, chosen[name], name, pictures.get(name), None, split)
        for prompt_id, (name, _, split) in zip(ids, entries, strict=True)
        if name in chosen
    ]


def from_tokens(source: Path) -> Iterator[Entry]:
    """Read the official file: `1000092795.jpg#0<tab>Two young guys ...`."""
    return from_rows(source, read_lines(source), TOKEN_ROW)


def from_results(source: Path) -> Iterator[Entry]:
    """Read the CSV of the Kaggle copy. Its columns are separated by `| ` or `|`."""
    header, *lines = read_lines(source)
    if header.replace(" ", "") != "image_name|comment_number|comment":
        raise refused(source, "lacks the header image_name| comment_number| comment")
    return from_rows(source, lines, CSV_ROW)


def from_rows(source: Path, lines: list[str], form: re.Pattern[str]) -> Iterator[Entry]:
    captions: dict[str, list[tuple[int, str]]] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = form.fullmatch(line)
        if row is None:
            raise refused(source, f"row {number} is not a caption of an image: {line[:60]!r}")
        captions.setdefault(row[1], []).append((int(row[2]), row[3]))
    return ((name, [caption for _, caption in sorted(numbered)], "test") for name, numbered in captions.items())


def from_karpathy(source: Path) -> Iterator[Entry]:
    """Read the JSON of Karpathy's splits."""
    content = read_json(source)
    try:
        for image in content["images"]:
            yield text_of(image["filename"]), texts_of([line["raw"] for line in image["sentences"]]), SPLITS[image["split"]]
    except (KeyError, TypeError):
        raise refused(source, f"lacks images with a filename, sentences and a split ({', '.join(SPLITS)}) each") from None


def from_hub(source: Path) -> Iterator[Entry]:
    """Read the CSV of the hub's copy. The column `raw` holds the captions as a JSON list, and `split` is Karpathy's."""
    columns, rows = read_csv(source)
    if not {"raw", "split", "filename"} <= set(columns):
        raise refused(source, f"lacks the columns raw, split, filename; has {', '.join(columns)}")
    for number, row in rows:
        try:
            yield row["filename"], texts_of(json.loads(row["raw"])), SPLITS[row["split"]]
        except (KeyError, TypeError, ValueError):
            raise refused(source, f"line {number} lacks a JSON list of captions, or a split ({', '.join(SPLITS)})") from None


def texts_of(captions: object) -> list[str]:
    """Return a JSON list of captions as text. Raises `TypeError` for anything else."""
    if not isinstance(captions, list):
        raise TypeError(f"captions must be a list, not {type(captions).__name__}")
    return [text_of(caption) for caption in captions]


FORMATS = {
    "results_20130124.token": from_tokens,
    "results.csv": from_results,
    "dataset_flickr30k.json": from_karpathy,
    "flickr_annotations_30k.csv": from_hub,
}
