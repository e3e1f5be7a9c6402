"""Find and read files inside uncompressed tar archives, and refuse an archive that is cut off."""

from __future__ import annotations

import posixpath
import re
import tarfile
from functools import lru_cache
from pathlib import Path, PurePosixPath
from tarfile import BLOCKSIZE

from fcr_core.data.folders import is_stray
from fcr_core.data.official import refused

SUFFIX = ".tar"
COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip"}
# Bytes of an archive's end that are looked at in one piece.
PIECE = 1 << 20

# Where a file starts and how long it is, in bytes.
Place = tuple[int, int]


def in_shard(path: Path) -> tuple[Path | None, str]:
    """Split `a/00000.tar/b/1.jpg` into `a/00000.tar` and `b/1.jpg`. For a plain file the shard is None.

    A folder may be called `photos.tar`.
    """
    shard = next((parent for parent in path.parents if parent.suffix.lower() == SUFFIX and parent.is_file()), None)
    return shard, str(path.relative_to(shard)) if shard else ""


@lru_cache(maxsize=64)
def members_of(shard: Path) -> dict[str, Place]:
    """Return the place of each file of an uncompressed tar, by its name without `./`. The last of several of a name counts.

    Stray files (`folders.is_stray`) are left out. A link leads to the place of its file.

    Raises `ValueError` for an archive that is cut off, compressed or no tar, and for a link to a file outside it.
    """
    members, end = read_headers(shard)
    check_end(shard, end)
    files: dict[str, Place] = {}
    links: dict[str, str] = {}
    for member in members:
        name = plain(member.name)
        if is_stray(PurePosixPath(name).parts):
            continue
        if member.isreg():
            files[name] = (member.offset_data, member.size)
        elif member.islnk():
            links[name] = plain(member.linkname)
        elif member.issym() and posixpath.splitext(name)[1]:
            links[name] = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname))
    for name in links:
        target = end_of(name, links)
        if target not in files:
            raise refused(shard / name, f"a link to {target}, which the shard does not hold; pack with tar --dereference")
        files[name] = files[target]
    return files


def end_of(name: str, links: dict[str, str]) -> str:
    """Return where a chain of links leads, or the link itself if it leads round."""
    seen = set()
    while name in links and name not in seen:
        seen.add(name)
        name = links[name]
    return name


def read_member(shard: Path, member: str) -> bytes:
    """Return the content of one file of a tar. Raises `ValueError` if the tar has no such file."""
    if member not in members_of(shard):
        raise ValueError(f"{shard / member}: the shard holds no such file")
    start, size = members_of(shard)[member]
    with shard.open("rb") as file:
        file.seek(start)
        return file.read(size)


def plain(name: str) -> str:
    """Return a member's name without `./` and without what leads out of the archive, as tar extracts it.

    >>> plain("./a//b.jpg"), plain("/data/c.jpg"), plain("../d.jpg")
    ('a/b.jpg', 'data/c.jpg', 'd.jpg')
    """
    return re.sub(r"^((\.\.)?/+)+", "", posixpath.normpath(name))


def read_headers(shard: Path) -> tuple[list[tarfile.TarInfo], int]:
    """Return the members of a tar, and the byte at which they end."""
    with shard.open("rb") as file:
        start = file.read(8)
    kind = next((name for magic, name in COMPRESSED.items() if start.startswith(magic)), None)
    if kind:
        raise refused(shard, f"compressed ({kind}), but images are read in the middle of a shard: make it an uncompressed tar")
    if not start:
        raise refused(shard, "cut off: an empty file")
    try:
        with tarfile.open(shard, "r:") as tar:
            return tar.getmembers(), tar.offset
    except tarfile.TarError as error:
        why = "cut off inside a file" if is_tar(shard) else "not an uncompressed tar file, or cut off in its first header"
        raise refused(shard, f"{why} ({error})") from None


def is_tar(shard: Path) -> bool:
    """Return True if a file begins with the whole header of a tar."""
    with shard.open("rb") as file:
        try:
            tarfile.TarInfo.frombuf(file.read(BLOCKSIZE), "utf-8", "surrogateescape")
        except tarfile.TarError:
            return False
    return True


def check_end(shard: Path, end: int) -> None:
    """Check that nothing but zeros follows the last member, at least a block of them, as the format has it.

    Raises `ValueError` for an archive that ends without, is damaged there, or goes on, as archives joined by `cat` do.
    """
    with shard.open("rb") as file:
        file.seek(end)
        block = file.read(BLOCKSIZE)
        if len(block) < BLOCKSIZE:
            raise refused(shard, "cut off: it has no end-of-archive")
        if any(block):
            raise refused(shard, f"cut off or damaged: byte {end} begins neither a file nor the end-of-archive")
        while piece := file.read(PIECE):
            if piece.strip(b"\0"):
                raise refused(shard, "goes on after its end-of-archive: if archives were joined, keep each as a file of its own")
