"""Feature files: rows with their prompts and seeds, the network that made them, and a checksum over all of it."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fcr_core.jobs.files import replacing


@dataclass(frozen=True)
class FeatureTable:
    """Rows of one network, aligned with `prompt_ids`.

    `arrays`, by kind ("pool", "logits", "image"): (seeds, prompts, d), or (prompts, d) for real images, which have no `seeds`.
    `record` names the network (`fcr_core.features.extractor.record_of`). Raises `ValueError` for arrays of other lengths
    and for rows that are not finite.
    """

    prompt_ids: list[str]
    arrays: dict[str, np.ndarray]
    record: dict[str, str]
    seeds: Sequence[int] = ()

    def __post_init__(self) -> None:
        for kind, array in self.arrays.items():
            if array.shape[:-1] != rows_of(self.seeds, self.prompt_ids):
                counts = f"{len(self.seeds)} seeds and {len(self.prompt_ids)} prompts"
                raise ValueError(f"{kind!r} has the shape {array.shape}, but there are {counts}")
            self._check_finite(kind, array)

    def _check_finite(self, kind: str, array: np.ndarray) -> None:
        finite = np.isfinite(array).all(-1)
        if not finite.all():
            *seed, prompt = np.argwhere(~finite)[0]
            place = f"prompt {self.prompt_ids[prompt]!r}" + "".join(f", seed {self.seeds[i]}" for i in seed)
            count = f"{(~finite).sum()} of {finite.size} rows"
            raise ValueError(f"{kind!r} of {self.record.get('extractor')} is NaN or infinite in {count}, the first is {place}")

    def __getitem__(self, kind: str) -> np.ndarray:
        if kind not in self.arrays:
            raise ValueError(f"the features of {self.record['extractor']} have no {kind!r}, only {sorted(self.arrays)}")
        return self.arrays[kind]

    @property
    def checksum(self) -> str:
        """SHA-256 of the rows and of what they belong to, in their order."""
        digest = hashlib.sha256(json.dumps([self.prompt_ids, list(self.seeds), self.record], sort_keys=True).encode())
        for kind, array in sorted(self.arrays.items()):
            digest.update(f"{kind} {array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def rows_of(seeds: Sequence[int], prompt_ids: Sequence[str]) -> tuple[int, ...]:
    """Return the leading axes that an array must have."""
    return (len(seeds), len(prompt_ids)) if seeds else (len(prompt_ids),)


def write(path: Path, table: FeatureTable) -> None:
    """Write the table; equal tables make equal bytes."""
    record = json.dumps(table.record | {"rows_sha256": table.checksum}, sort_keys=True)
    index: dict[str, Any] = {
        "prompt_id": np.array(table.prompt_ids),
        "seed": np.array(table.seeds, dtype=int),
        "record": np.array(record),
    }
    with replacing(path) as draft:
        np.savez(draft, **index | dict(sorted(table.arrays.items())))


def read(
    path: Path,
    prompt_ids: list[str] | None = None,
    seeds: list[int] | None = None,
    record: dict[str, str] | None = None,
) -> FeatureTable:
    """Read the features in `path`; if the caller names prompts, seeds or the network, the file must have exactly these, in order.

    Raises `ValueError`, in one line with the file's name, for a file that is not whole, that was changed after it was written,
    or that is not what the caller expects.
    """
    table, checksum = _load(path)
    if table.checksum != checksum:
        raise ValueError(f"{path}: rows or prompts were changed or reordered after they were written: delete it")
    network = None if record is None else sorted(record.items())
    for what, wanted, found in (
        ("prompts", prompt_ids, table.prompt_ids),
        ("seeds", seeds, table.seeds),
        ("record", network, sorted(table.record.items())),
    ):
        if wanted is not None and list(found) != list(wanted):
            has, expected = next((a, b) for a, b in zip_longest(found, wanted) if a != b)
            raise ValueError(f"{path}: its {what} are not those expected, first {has!r} instead of {expected!r}")
    return table


def _load(path: Path) -> tuple[FeatureTable, str]:
    """Load the table as it is in the file, and the checksum it was written with."""
    try:
        with np.load(path) as file:
            arrays = dict(file)
        record = json.loads(str(arrays.pop("record")))
        checksum = record.pop("rows_sha256")
        return FeatureTable(arrays.pop("prompt_id").tolist(), arrays, record, arrays.pop("seed").tolist()), checksum
    except FileNotFoundError:
        raise
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a whole feature file ({error}): delete it, it is made anew") from error


def merge(shards: Sequence[FeatureTable], prompt_ids: list[str], seeds: Sequence[int] = ()) -> FeatureTable:
    """Merge shards in any order and of any size into one table, with rows in the order of `prompt_ids` and `seeds`.

    Raises `ValueError` if a row is missing or occurs twice, or if the shards come from different networks.
    """
    record = shards[0].record
    if any(shard.record != record for shard in shards):
        raise ValueError(f"features of different networks cannot be merged: {[shard.record for shard in shards]}")
    places = [_places(shard, prompt_ids, seeds) for shard in shards]
    filled = np.zeros(rows_of(seeds, prompt_ids), dtype=int)
    for place in places:
        np.add.at(filled, place, 1)  # counts a row that is twice in one shard, too
    if (filled != 1).any():
        row = tuple(int(i) for i in np.argwhere(filled != 1)[0])
        of_seed = f", seed {seeds[row[0]]}," if seeds else ""
        raise ValueError(f"prompt {prompt_ids[row[-1]]!r}{of_seed} is in {filled[row]} of the merged features, not in one")
    arrays = {}
    for kind, array in shards[0].arrays.items():
        arrays[kind] = np.empty((*filled.shape, array.shape[-1]), array.dtype)
        for shard, place in zip(shards, places, strict=True):
            arrays[kind][place] = shard[kind]
    return FeatureTable(prompt_ids, arrays, record, seeds)


def _places(shard: FeatureTable, prompt_ids: list[str], seeds: Sequence[int]) -> tuple[np.ndarray, ...]:
    """Find the places of the shard's rows in a table of these prompts and seeds."""
    columns = _positions("prompt", shard.prompt_ids, prompt_ids)
    return np.ix_(_positions("seed", shard.seeds, seeds), columns) if seeds else (columns,)


def _positions(what: str, found: Sequence[Any], wanted: Sequence[Any]) -> np.ndarray:
    positions = pd.Index(wanted).get_indexer(pd.Index(found))
    if (positions < 0).any():
        raise ValueError(f"{what} {found[int(np.argmin(positions))]!r} of the merged features is not one of those asked for")
    return positions
