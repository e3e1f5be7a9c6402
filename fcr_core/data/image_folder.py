"""A folder of images with captions: a text file beside each image, or the hub's `metadata.csv` or `metadata.jsonl`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from fcr_core.data.official import refused, tidy
from fcr_core.data.pictures import SUFFIXES
from fcr_core.data.registry import CaptionedImage

SPLITS = {"train": "train", "validation": "test", "val": "test", "test": "test"}
CAPTION_COLUMNS = ("text", "caption")


def records(source: Path) -> list[CaptionedImage]:
    """Return one record for each image that has a caption, named by its path in the folder.

    A first-level folder `train`, `validation`, `val` or `test` decides the split. Images elsewhere are split by hash.

    Raises `ValueError` when no image has a caption or the metadata lack their columns.
    """
    captions = captions_of(source)
    if not captions:
        raise refused(source, "holds no image with a caption: neither a .txt beside an image nor metadata.csv or metadata.jsonl")
    return [
        CaptionedImage(name, tidy(caption), name, path, official_split=SPLITS.get(path.relative_to(source).parts[0]))
        for path, caption in sorted(captions.items())
        for name in ["-".join(path.relative_to(source).with_suffix("").parts)]
    ]


def captions_of(source: Path) -> dict[Path, str]:
    """Return the caption of each image, from metadata files or else from text files."""
    tables = sorted([*source.rglob("metadata.csv"), *source.rglob("metadata.jsonl")])
    if tables:
        return {path: caption for table in tables for path, caption in captions_in(table).items()}
    images = (path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES)
    texts = ((image, image.with_suffix(".txt")) for image in images)
    return {image: text.read_text(encoding="utf-8") for image, text in texts if text.exists()}


def captions_in(file: Path) -> dict[Path, str]:
    """Return the images and captions of one metadata file. `file_name` is relative to that file."""
    table = pd.read_csv(file, dtype=str) if file.suffix == ".csv" else pd.read_json(file, lines=True, dtype=False)
    column = next((name for name in CAPTION_COLUMNS if name in table.columns), None)
    if column is None or "file_name" not in table.columns:
        raise refused(file, f"lacks the columns file_name and text; has {', '.join(table.columns)}")
    captioned = table.dropna(subset=["file_name", column])
    return {file.parent / name: text for name, text in zip(captioned["file_name"], captioned[column], strict=True)}
