"""Write files that are whole or absent: every output gets a temporary name in its folder and is renamed when it is complete."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path. It becomes `path` (file or folder) when the block ends without an exception.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "result.txt"
    >>> with replacing(target) as draft:
    ...     _ = draft.write_text("whole")
    >>> target.read_text()
    'whole'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last, because writers such as `Image.save` choose the format by it.
    draft = path.with_name(f".{path.stem}.{os.getpid()}.draft{path.suffix}")
    discard(draft)  # left by a killed process with the same number: in pods process numbers repeat
    try:
        yield draft
        if draft.is_dir() and path.exists():
            shutil.rmtree(path)
        draft.replace(path)
    except OSError as error:
        # A full disk is told without the file that was written.
        error.filename = error.filename or str(path)
        raise
    finally:
        discard(draft)


def discard(path: Path) -> None:
    """Remove a file or folder if it exists."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def link_or_copy(file: Path | str, target: Path | str) -> None:
    """Give the same bytes a second name. Copy them if the file system has no hard links."""
    try:
        os.link(file, target)
    except OSError:
        shutil.copy(file, target)


def write_json(path: Path | str, content: object) -> None:
    """Write `content` as readable JSON."""
    with replacing(path) as draft:
        draft.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")


def written_once(folder: Path, name: str, text: str) -> str:
    """The path of a file that holds `text` and is called by its content: `{name}-{hash}.json`. Written unless it is there."""
    file = folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
    if not file.exists():
        with replacing(file) as draft:
            draft.write_text(text, encoding="utf-8")
    return str(file)
