"""LAION-Aesthetics: choose links from its metadata, and read the images that `download_laion` fetched from them.

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
from fcr_core.data.folders import files_below
from fcr_core.data.official import refused
from fcr_core.data.registry import CaptionedImage

# Name used here -> spellings found in metadata files, in lower case.
REQUIRED = {
    "url": ("url",),
    "caption": ("text", "caption"),
    "width": ("width", "original_width"),
    "height": ("height", "original_height"),
    "unsafe": ("punsafe",),
    "watermark": ("pwatermark",),
    "aesthetic": ("aesthetic", "aesthetic_score", "aesthetics_score"),
}
# LAION's column `hash` is not listed: it is a hash of link and text, not of the image.
OPTIONAL = {"sha256": ("sha256",), "md5": ("md5",)}
NUMBERS = ("width", "height", "unsafe", "watermark", "aesthetic")
# How programs write a missing number as text, in lower case.
MISSING = ("", "nan", "none", "null", "<na>")


@dataclass(frozen=True)
class Filters:
    """The conditions that a row must meet. A row without a value fails.

    Args:
        min_aesthetic: the lowest aesthetic score (1..10).
        min_size: the shortest side, in pixels.
        max_unsafe: the highest probability of being unsafe for work.
        max_watermark: the highest probability of a watermark.
    """

    min_aesthetic: float
    min_size: int
    max_unsafe: float
    max_watermark: float

    def steps(self) -> dict[str, Callable[[pd.DataFrame], pd.Series]]:
        """Return a dictionary: reason for leaving a row out -> function that says which rows stay."""
        return {
            "no_url": lambda rows: rows["url"].fillna("").str.strip() != "",
            "no_caption": lambda rows: rows["caption"].fillna("").str.strip() != "",
            "low_score": lambda rows: rows["aesthetic"] >= self.min_aesthetic,
            "too_small": lambda rows: rows[["width", "height"]].min(axis=1, skipna=False) >= self.min_size,
            "unsafe": lambda rows: rows["unsafe"] <= self.max_unsafe,
            "watermark": lambda rows: rows["watermark"] <= self.max_watermark,
        }


def records(source: Path) -> list[CaptionedImage]:
    """Return the downloaded images, all for training."""
    return webdataset.records(source, official_split="train")


def wanted_rows(folder: Path, filters: Filters, seed: int) -> tuple[pd.DataFrame, Counter[str]]:
    """Return the rows of all `*.parquet` in `folder` that pass the filters, and a count of the others by reason.

    `folder` may be one such file. `seed` sets the random order of the rows. Columns: `url`, `caption`, and `sha256`, `md5` if the
    metadata have them. A link that occurs again is left out.

    Raises `ValueError` for a folder without parquet files, for a file that is cut off or lacks a required column, and for text in
    a column of numbers.
    """
    files = [file for file in files_below(folder) if file.suffix.lower() == ".parquet"]
    if not files:
        raise refused(folder, "holds no metadata (*.parquet)")
    left_out: Counter[str] = Counter()
    rows = pd.concat([passing(read_metadata(file), filters, left_out) for file in files], ignore_index=True)
    unique = rows.drop_duplicates("url")
    left_out["duplicate_url"] = len(rows) - len(unique)
    return unique.sample(frac=1, random_state=seed).reset_index(drop=True), left_out


def passing(rows: pd.DataFrame, filters: Filters, left_out: Counter[str]) -> pd.DataFrame:
    """Return the rows that pass all filters. Each other row is counted under the first filter that it fails."""
    for reason, stays in filters.steps().items():
        kept = rows[stays(rows)]
        left_out[reason] += len(rows) - len(kept)
        rows = kept
    return rows[[name for name in ("url", "caption", *OPTIONAL) if name in rows]]


def read_metadata(file: Path) -> pd.DataFrame:
    """Read one metadata file and give its columns the names used here. Numbers may be written as text, and texts be numbers."""
    try:
        present = {name.lower(): name for name in pyarrow.parquet.read_schema(file).names}
        names = columns_of(file, present)
        table = pd.read_parquet(file, columns=list(names)).rename(columns=names)
    except (pyarrow.ArrowException, OSError):
        # A clone without Git LFS leaves a text file of three lines instead.
        raise refused(file, "not a parquet file (a Git LFS pointer, or cut off?)") from None
    for name in table:
        table[name] = numbers_in(file, table[name]) if name in NUMBERS else texts_in(table[name])
    return table


def columns_of(file: Path, present: dict[str, str]) -> dict[str, str]:
    """Return the name used here of each column that is read, by its name in the file. `present` has those in lower case."""
    names = {}
    for name, spellings in (REQUIRED | OPTIONAL).items():
        column = next((present[spelling] for spelling in spellings if spelling in present), None)
        if column is not None:
            names[column] = name
        elif name in REQUIRED:
            raise refused(file, f"no column {' or '.join(spellings)} (in any case); has {', '.join(present.values())}")
    return names


def numbers_in(file: Path, column: pd.Series) -> pd.Series:
    """Return a column as numbers; `MISSING` text is a missing value. Raises `ValueError` for any other text."""
    if pd.api.types.is_numeric_dtype(column):
        return column
    numbers = pd.to_numeric(column, errors="coerce")
    wrong = column[numbers.isna() & column.notna() & ~column.astype(str).str.strip().str.lower().isin(MISSING)]
    if len(wrong):
        raise refused(file, f"the column for {column.name} holds {wrong.iloc[0]!r}, which is no number")
    return numbers


def texts_in(column: pd.Series) -> pd.Series:
    """Return a column as text, also one of numbers or of bytes."""
    if isinstance(column.dtype, pd.StringDtype):
        return column
    texts = [value.decode(errors="replace") if isinstance(value, bytes) else str(value) for value in column]
    return pd.Series(texts, index=column.index, dtype="str", name=column.name).where(column.notna())
