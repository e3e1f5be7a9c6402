"""Walk the folder of a data set: links are followed, and what systems leave behind is left out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from fcr_core.data.official import refused

# Names that macOS, Windows and network drives put beside a user's files, in lower case. So do names that begin with a dot.
LEFT_BY_SYSTEMS = {
    "__macosx", "@eadir", "$recycle.bin", "desktop.ini", "ehthumbs.db", "icon\r", "lost+found", "system volume information",
    "thumbs.db",
}  # fmt: skip


def is_stray(parts: Iterable[str]) -> bool:
    """Return True if a path, given by its parts, is hidden, an editor's backup, or left by a system.

    >>> [is_stray(path.split("/")) for path in ("a/._b.jpg", ".ipynb_checkpoints/b.jpg", "Thumbs.db", "b.txt~", "a.b/c.jpg")]
    [True, True, True, True, False]
    """
    return any(part.startswith(".") or part.endswith("~") or part.lower() in LEFT_BY_SYSTEMS for part in parts)


def files_below(source: Path) -> list[Path]:
    """Return the files of a folder and of all folders below it, sorted. A file stands for itself.

    Links are followed, except a link to a folder that it lies in. Stray files (`is_stray`) are left out.

    Raises `ValueError` for a link that leads nowhere.
    """
    files = [Path(path) for path in walk(str(source))]
    for file in files:
        if not file.is_file():
            raise no_file(file)
    return sorted(files)


def no_file(path: Path) -> ValueError:
    """Make the error for something in a folder that is neither a file nor a folder."""
    return refused(path, "not a file, or a link to a file that is not there")


def walk(source: str, above: tuple[tuple[int, int], ...] = ()) -> Iterator[str]:
    """Yield the path of everything below a folder that is no folder, in no order. `above` are the folders that it lies in."""
    if not os.path.isdir(source):  # noqa: PTH112 (text is several times as fast as paths, and there may be 50,000)
        yield source
        return
    here = os.stat(source)  # noqa: PTH116
    identity = (here.st_dev, here.st_ino)
    if identity in above:
        return
    with os.scandir(source) as entries:
        for entry in entries:
            if is_stray([entry.name]):
                continue
            if entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and os.path.isdir(entry.path)):  # noqa: PTH112
                yield from walk(entry.path, (*above, identity))
            else:
                yield entry.path
