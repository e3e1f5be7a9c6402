"""PartiPrompts (P2): 1,632 prompts of growing difficulty, without images, from the official `PartiPrompts.tsv`.

Yu et al., 2022, arXiv 2206.10789. Prompts contain bare quotation marks, and some end in a space.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from fcr_core.data.official import refused, tidy
from fcr_core.data.registry import CaptionedImage

COLUMNS = ["Prompt", "Category", "Challenge", "Note"]


def records(source: Path) -> list[CaptionedImage]:
    """Return one record for each row, all in the test split. Raises `ValueError` for a file with other columns."""
    try:
        table = pd.read_csv(source, sep="\t", quoting=csv.QUOTE_NONE, keep_default_na=False, dtype=str)
    except ValueError:
        raise refused(source, "not a table") from None
    if list(table.columns) != COLUMNS:
        raise refused(source, f"not PartiPrompts.tsv: its columns are {', '.join(table.columns)}, not {', '.join(COLUMNS)}")
    ids = [f"parti{row:04d}" for row in range(len(table))]
    return [CaptionedImage(i, tidy(p), i, official_split="test") for i, p in zip(ids, table["Prompt"], strict=True)]
