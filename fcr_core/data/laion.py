"""LAION-Aesthetics: which links of its metadata are wanted, and the images that `download_laion` got from them.

Schuhmann et al., 2022, arXiv 2210.08402. The metadata are parquet files whose columns are spelt in several ways.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow
import pyarrow.parquet

from fcr_core.data import webdataset
from fcr_core.data.official import refused
from fcr_core.data.registry import CaptionedImage

# Name here -> spellings in the wild, lower case.
REQUIRED = {
    "url": ("url",),
    "caption": ("text", "caption"),
    "width": ("width", "original_width"),
    "height": ("height", "original_height"),
    "unsafe": ("punsafe",),
    "watermark": ("pwatermark",),
    "aesthetic": ("aesthetic", "aesthetic_score", "aesthetics_score"),
}
# `hash` of LAION is one of link and text, not of the image.
OPTIONAL = {"sha256": ("sha256",), "md5": ("md5",)}


@dataclass(frozen=True)
class Filters:
    """What a row must have: a score of at least `min_aesthetic` (1..10), sides of at least `min_size` pixels, and probabilities
    of being unsafe for work and of a watermark of at most `max_unsafe` and `max_watermark`. A row without a value fails."""

    min_aesthetic: float
    min_size: int
    max_unsafe: float
    max_watermark: float

    def steps(self) -> dict[str, Callable[[pd.DataFrame], pd.Series]]:
        """Reason for leaving a row out -> which rows stay."""
        return {
            "no_url": lambda rows: rows["url"].fillna("").str.strip() != "",
            "no_caption": lambda rows: rows["caption"].fillna("").str.strip() != "",
            "low_score": lambda rows: rows["aesthetic"] >= self.min_aesthetic,
            "too_small": lambda rows: rows[["width", "height"]].min(axis=1, skipna=False) >= self.min_size,
            "unsafe": lambda rows: rows["unsafe"] <= self.max_unsafe,
            "watermark": lambda rows: rows["watermark"] <= self.max_watermark,
        }


def records(source: Path) -> list[CaptionedImage]:
    """The downloaded images, all for training."""
    return webdataset.records(source, official_split="train")


def wanted_rows(folder: Path, filters: Filters, seed: int) -> tuple[pd.DataFrame, Counter[str]]:
    """The rows of all `*.parquet` in `folder` that pass, in a random order that `seed` gives; and how many did not, by reason.

    Columns `url`, `caption`, and `sha256`, `md5` where the metadata have them. A link that comes again is left out.

    Raises `ValueError` for a folder without parquet files and a file without the columns.
    """
    files = sorted(folder.rglob("*.parquet"))
    if not files:
        raise refused(folder, "holds no metadata (*.parquet)")
    left_out: Counter[str] = Counter()
    rows = pd.concat([passing(read_metadata(file), filters, left_out) for file in files], ignore_index=True)
    unique = rows.drop_duplicates("url")
    left_out["duplicate_url"] = len(rows) - len(unique)
    return unique.sample(frac=1, random_state=seed).reset_index(drop=True), left_out


def passing(rows: pd.DataFrame, filters: Filters, left_out: Counter[str]) -> pd.DataFrame:
    """The rows that pass all filters; those left out are counted under the first that they fail."""
    for reason, stays in filters.steps().items():
        kept = rows[stays(rows)]
        left_out[reason] += len(rows) - len(kept)
        rows = kept
    return rows[[name for name in ("url", "caption", *OPTIONAL) if name in rows]]


def read_metadata(file: Path) -> pd.DataFrame:
    """One metadata file with its columns under the names used here."""
    try:
        present = {name.lower(): name for name in pyarrow.parquet.read_schema(file).names}
    except pyarrow.ArrowInvalid:
        # What a clone without Git LFS leaves is a text of three lines.
        raise refused(file, "not a parquet file (a Git LFS pointer, or cut off?)") from None
    names = {}
    for name, spellings in (REQUIRED | OPTIONAL).items():
        column = next((present[spelling] for spelling in spellings if spelling in present), None)
        if column is not None:
            names[column] = name
        elif name in REQUIRED:
            raise refused(file, f"no column {' or '.join(spellings)} (in any case); has {', '.join(present.values())}")
    return pd.read_parquet(file, columns=list(names)).rename(columns=names)
