"""The content of the user's files of a data set: a list of names, sizes and hashes, by which Snakemake knows a folder.

A folder has no checksum, and its time changes with any stray file. So `prepare_data` keeps a list of the files beside what it
makes of them, and Snakemake reruns it when the files hold something else than the list says.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from fcr_core.data.folders import no_file, walk
from fcr_core.jobs.files import write_json
from fcr_core.jobs.job import sha256_of

NAME = "source_files.json"
# A file that was written within so many nanoseconds before it was read may change again without another time.
CLOCK = 2_000_000_000
# From so many files on, reading them shows a progress bar.
MANY = 1000


class State(NamedTuple):
    """The state of a file, known without reading it: its bytes, and when its content and the file were changed last, in ns.

    The second time is the system's own. No program can set it, so a file with the same state has the same content.
    """

    size: int
    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True)
class SourceFiles:
    """The files of a data set by name: their states, and the SHA-256 of what they hold.

    `token` stands for this content in the parameters of a rule.
    """

    token: str
    states: dict[str, State]
    hashes: dict[str, str]

    @property
    def content(self) -> str:
        """Return the SHA-256 of all names and contents."""
        return digest_of(sorted(self.hashes.items()))

    @classmethod
    def read(cls, folder: Path) -> SourceFiles | None:
        """Read the list in a folder of prepared data. Return None if there is none."""
        if not (folder / NAME).exists():
            return None
        kept = json.loads((folder / NAME).read_text(encoding="utf-8"))
        hashes = {name: entry.pop("sha256") for name, entry in kept["files"].items()}
        return cls(kept["token"], {name: State(**entry) for name, entry in kept["files"].items()}, hashes)

    def write(self, folder: Path) -> None:
        """Write the list as JSON: for each file `size`, `sha256` and its times."""
        files = {name: {"sha256": self.hashes[name], **state._asdict()} for name, state in self.states.items()}
        write_json(folder / NAME, {"token": self.token, "files": files})


def token_of(source: Path, beside: Iterable[Path], folder: Path) -> str:
    """Return a text that changes exactly when the files of a data set hold something else than when it was prepared last.

    Files are read only if their state has changed since the list in `folder` was written. `source` is a file or folder, `beside`
    are folders that are read together with it and may be missing.

    Raises `ValueError` for a link that leads nowhere, and `OSError` for a file that cannot be read.
    """
    paths = paths_of(source, beside)
    states, kept = states_of(paths), SourceFiles.read(folder)
    if kept and kept.states != states:
        found = hashed(kept.token, paths, states, kept)
        if found.content == kept.content:
            found.write(folder)
        else:
            kept = None
    return kept.token if kept else digest_of(sorted(states.items()))


def listed(source: Path, beside: Iterable[Path], folder: Path, token: str) -> SourceFiles:
    """Read the files of a data set. Those whose state is that of the list in `folder` are not read again."""
    paths = paths_of(source, beside)
    return hashed(token, paths, states_of(paths), SourceFiles.read(folder))


def paths_of(source: Path, beside: Iterable[Path]) -> dict[str, str]:
    """Return the path of each file, by its name relative to the folder of `source`."""
    base = source if source.is_dir() else source.parent
    places = [source, *(folder for folder in beside if folder.is_dir())]
    found: dict[str, str] = {}
    for place in map(str, places):
        prefix = os.path.relpath(place, base)
        found |= {os.path.normpath(prefix + path.removeprefix(place)): path for path in walk(place)}
    return found


def states_of(paths: dict[str, str]) -> dict[str, State]:
    return {name: state_of(path) for name, path in paths.items()}


def state_of(path: str) -> State:
    try:
        stat = os.stat(path)  # noqa: PTH116 (of text, as in `walk`)
    except OSError:
        raise no_file(Path(path)) from None
    return State(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


def hashed(token: str, paths: dict[str, str], states: dict[str, State], kept: SourceFiles | None) -> SourceFiles:
    """Return the list of the files, with the hashes of `kept` where a file's state is the same.

    The state of a file that changed a moment ago is not kept, because it may change again within the same tick of the clock.
    """
    latest = time.time_ns() - CLOCK
    same = {name for name, state in states.items() if kept and kept.states.get(name) == state}
    changed = sorted(states.keys() - same)
    hashes = {name: kept.hashes[name] for name in same} if kept else {}
    for name in tqdm(changed, desc="reading the data set's files", unit="file", disable=len(changed) < MANY):
        hashes[name] = sha256_of(Path(paths[name]))
    sure = {name: state if state.ctime_ns < latest else State(state.size, 0, 0) for name, state in states.items()}
    return SourceFiles(token, sure, hashes)


def digest_of(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
