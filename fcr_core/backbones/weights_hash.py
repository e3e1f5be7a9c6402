"""Hash the weights behind a location, so that new weights rerun their jobs, but a checkout or a `touch` does not."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from fcr_core.backbones.location import Location, Repository
from fcr_core.jobs.files import write_json


def content_hash(location: str | Path, pattern: str = "*.safetensors") -> str:
    """Return twelve hexadecimal digits for the contents of a local folder's files. An adapter has its own digits.

    A hub id stands for itself.
    """
    return "+".join(hash_of_part(part, pattern) for part in Location.parse(location).repositories)


def remembered_hash(location: str | Path, memory: Path) -> str:
    """Return `content_hash` of weights. Read them anew only when a file's size or time has changed since `memory` was written.

    Each job of a cluster reads the Snakefile, and the weights of Stable Diffusion are 4 GB.
    """
    parts = [Path(part.source) for part in Location.parse(location).repositories]
    files = sorted(file for part in parts for file in part.rglob("*.safetensors"))
    state = [[str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns] for file in files]
    known = json.loads(memory.read_text()) if memory.exists() else {}
    if known.get("of") != [str(location), state]:
        known = {"of": [str(location), state], "hash": content_hash(location)}
        write_json(memory, known)
    return known["hash"]


def hash_of_part(part: Repository, pattern: str) -> str:
    files = sorted(Path(part.source).rglob(pattern))
    if not files:
        return str(part)
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(part.source)}\n".encode())
        with file.open("rb") as opened:
            # Read in parts: the weights of a large UNet would not fit into memory beside the UNet.
            while chunk := opened.read(1 << 24):
                digest.update(chunk)
    return digest.hexdigest()[:12]
