"""Make prompt ids from the names of files: unique in their data set, and safe as names of files themselves."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

# Bytes of an id. A file name may have 255, of which suffixes and drafts (`fcr_core.jobs.files.replacing`) need some.
LONGEST = 200
DIGITS = 12
# Separators, control characters, halves of characters, and what other systems do not allow in a file name.
UNSAFE = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f-\x9f\ud800-\udfff]+')


def prompt_ids(files: Sequence[PurePath]) -> list[str]:
    """Return an id for each file of a data set, given by its path in the set: `train/cat.jpg` has the id `train-cat`.

    Where several files would have one id, such as `a/b.jpg` and `a-b.jpg`, each gets a hash of its path. So do ids that differ by
    their case alone, because some file systems take these for one name. All other ids depend on no other file.
    """
    names = [safe("-".join(file.with_suffix("").parts)) for file in files]
    counts = Counter(map(folded, names))
    return [name if counts[folded(name)] == 1 else tagged(name, file.as_posix()) for name, file in zip(names, files, strict=True)]


def distinct(files: Sequence[tuple[PurePath, PurePath]]) -> list[PurePath]:
    """Return the second part of each path if these differ from each other without their suffixes, or else the whole paths.

    The first part is the shard or the split that a file lies in.
    """
    alone = [file for _, file in files]
    return alone if len({file.with_suffix("") for file in alone}) == len(alone) else [first / file for first, file in files]


def safe(name: str) -> str:
    """Return a name that can be the name of a file: itself, or without what is unsafe or too long and with a hash of it.

    >>> safe("cat 2.0 (clean)"), safe("what?")
    ('cat 2.0 (clean)', 'what_-2cc9a59ae14e')
    """
    clean = UNSAFE.sub("_", name).lstrip(".- ").rstrip(". ")
    return name if name and clean == name and len(name.encode()) <= LONGEST else tagged(clean, name)


def tagged(name: str, origin: str) -> str:
    """Return the beginning of a name with a hash of what it was made from, together at most `LONGEST` bytes."""
    short = name.encode()[: LONGEST - DIGITS - 1].decode(errors="ignore")
    return f"{short or 'image'}-{hashlib.sha256(origin.encode(errors='surrogatepass')).hexdigest()[:DIGITS]}"


def folded(name: str) -> str:
    """Return what a file system that tells neither capitals nor ways to write an accent apart makes of a name."""
    return unicodedata.normalize("NFC", name).casefold()
