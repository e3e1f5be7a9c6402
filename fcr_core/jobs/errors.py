"""Errors that a user can do something about, in one line; all others are bugs, whose traceback stays in the log."""

from __future__ import annotations

import errno
import traceback
from pathlib import Path

PROJECT = Path(__file__).parents[2]
# By name, so that nothing is imported for it: of Python, of safetensors, of torch.
FORESEEN = {
    "ValueError", "OSError", "KeyError", "ImportError", "FloatingPointError", "MemoryError", "EOFError",
    "BadZipFile", "TarError", "UnpicklingError", "SafetensorError", "OutOfMemoryError",
}  # fmt: skip
# What torch says with a plain RuntimeError when it cannot write or read a file as a whole.
OF_FILES = ("PytorchStream", "inline_container")
ADVICE = {
    errno.ENOSPC: "make room, and run the same command again: it goes on where it was",
    errno.EDQUOT: "make room, and run the same command again: it goes on where it was",
    errno.EACCES: "change its permissions",
    errno.EPERM: "change its permissions",
    errno.EROFS: "results need a place that can be written to",
    errno.ENOTDIR: "a file is where a folder should be: move it away",
    errno.EEXIST: "a file is where a folder should be: move it away",
    errno.EISDIR: "a folder is where a file should be: move it away",
}


def foreseen(error: BaseException) -> bool:
    """Return True if a user can do something about it."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return bool(kinds & FORESEEN) or of_a_file(error)


def of_a_file(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and any(part in str(error) for part in OF_FILES)


def in_one_line(error: BaseException) -> str:
    """
    >>> in_one_line(ValueError("no such\\n  seed")), in_one_line(OSError(28, "No space left on device", "a.npz"))[:33]
    ('no such seed', 'a.npz: No space left on device: m')

    A `KeyError` says the name that was looked for and nothing else, so its place is added.
    """
    if isinstance(error, OSError) and error.strerror:
        parts = [error.filename, error.strerror, ADVICE.get(error.errno or 0)]
        return ": ".join(str(part) for part in parts if part is not None)
    said = " ".join(str(error).split())
    if isinstance(error, KeyError):
        return f"{said} is missing{place_of(error)}"
    if of_a_file(error):
        return f"torch could not read or write a file as a whole, which is cut off, or the disk is full: {said}"
    explains_itself = said and isinstance(error, ValueError | OSError | ImportError | FloatingPointError)
    return said if explains_itself else f"{type(error).__name__}: {said}"


def place_of(error: BaseException) -> str:
    """` (fcr_core/data/coco.py, line 31)`: the last line of the project that was at work."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if (file := Path(frame.filename)).is_relative_to(PROJECT):
            return f" ({file.relative_to(PROJECT)}, line {frame.lineno})"
    return ""
