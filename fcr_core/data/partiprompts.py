"""PartiPrompts (P2): 1,632 prompts of growing difficulty, without images, from the official `PartiPrompts.tsv`.

Yu et al., 2022, arXiv 2206.10789. Prompts contain bare quotation marks, and some end in a space.
"""

from __future__ import annotations

from pathlib import Path

from fcr_core.data.official import refused, say_left_out, tidy
from fcr_core.data.registry import CaptionedImage
from fcr_core.data.text_files import read_text

COLUMNS = ["Prompt", "Category", "Challenge", "Note"]


def records(source: Path) -> list[CaptionedImage]:
    """Return one record for each row that has a prompt, all in the test split.

    Raises `ValueError` for a file with other columns, and for a row with more of them.
    """
    lines = [line.removesuffix("\r") for line in read_text(source, "a table").split("\n")]
    header, *rows = [line.split("\t") for line in lines if line] or [[]]
    if not header:
        raise refused(source, "not a table: an empty file")
    if header != COLUMNS:
        raise refused(source, f"not PartiPrompts.tsv: its columns are {', '.join(header)}, not {', '.join(COLUMNS)}")
    prompts = {f"parti{number:04d}": row for number, row in enumerate(rows)}
    if wide := [name for name, row in prompts.items() if len(row) > len(COLUMNS)]:
        raise refused(source, f"row {wide[0].removeprefix('parti')} has more columns than its header")
    say_left_out(source, "rows without a prompt", [name for name, row in prompts.items() if not row[0].strip()])
    return [CaptionedImage(i, tidy(row[0]), i, official_split="test") for i, row in prompts.items() if row[0].strip()]
