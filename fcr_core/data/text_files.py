"""Read text, JSON and tables that people and programs have saved: with a byte-order mark or without, with any line ends."""

from __future__ import annotations

import codecs
import csv
import io
import json
from pathlib import Path
from typing import Any

from fcr_core.data.official import refused

# A file that begins with a mark is in its encoding. The longer marks come first: that of UTF-32 begins with that of UTF-16.
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

# A row of a table by its columns, with the number of its line.
Row = tuple[int, dict[str, Any]]


def decode(content: bytes, path: Path, kind: str = "a text file") -> str:
    """Return UTF-8, or another encoding of Unicode with a byte-order mark, as text without the mark.

    Raises `ValueError` for anything else; its message begins with the path and `not {kind}`.
    """
    encoding = next((name for mark, name in MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise refused(path, f"not {kind} in {encoding.upper()}: byte {error.start} is wrong; save it as UTF-8") from None
    if "\0" in text:
        raise refused(path, f"not {kind} in UTF-8: it holds zero bytes, as UTF-16 without a mark does; save it as UTF-8")
    return text


def read_text(path: Path, kind: str = "a text file") -> str:
    """Return the content of a text file (`decode`)."""
    return decode(path.read_bytes(), path, kind)


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file. Only `\\n` and `\\r\\n` end a line. Raises `ValueError` for anything else than text."""
    return [line.removesuffix("\r") for line in read_text(path).removesuffix("\n").split("\n")]


def parse_json(text: str, path: Path) -> Any:
    """Return the content of JSON text. Raises `ValueError`, which names `path`, for anything else."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise refused(path, "not a JSON file") from None


def read_json(path: Path) -> Any:
    """Return the content of a JSON file. Raises `ValueError` for anything else."""
    return parse_json(read_text(path, "a JSON file"), path)


def read_csv(path: Path) -> tuple[list[str], list[Row]]:
    """Return the columns and the rows of a CSV file. Every field is text, also `NA` and `null`; blank lines are left out.

    Raises `ValueError` for text that is not a table, and for a row with more fields than the header.
    """
    reader = csv.DictReader(io.StringIO(read_text(path, "a table"), newline=""), restval="", skipinitialspace=True, strict=True)
    try:
        reader.fieldnames = columns = [name.strip() for name in reader.fieldnames or []]
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise refused(path, f"not a table after line {reader.line_num}: {error}") from None
    for number, row in rows:
        if None in row:
            raise refused(path, f"line {number} has more fields than the header; put a text with commas in quotes")
    return columns, [(number, row) for number, row in rows if any(field.strip() for field in row.values())]


def read_jsonl(path: Path) -> tuple[list[str], list[Row]]:
    """Return the columns and the rows of a file with a JSON object in each line. Blank lines are left out.

    Raises `ValueError` for a line that is something else.
    """
    rows = []
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            if not isinstance(row, dict):
                raise refused(path, f"line {number} is not a JSON object: {line[:60]!r}")
            rows.append((number, row))
    return list(dict.fromkeys(name for _, row in rows for name in row)), rows
