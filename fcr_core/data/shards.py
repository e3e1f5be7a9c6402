"""Download links with captions into webdataset shards, in the layout of img2dataset.

The download is resumable, and the same answers give the same bytes. A shard is a fixed run of rows. Its good images are taken in
the order of the rows, whichever came first. So neither threads nor an interruption change what is kept.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import tarfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from fcr_core.data.image_check import checked
from fcr_core.data.rejected import Rejected
from fcr_core.jobs.files import replacing, write_json

log = logging.getLogger(__name__)
CHECKSUMS = ("sha256", "md5")
# The outcome of a sample: its files, or the reason why it has none.
Outcome = dict[str, Any] | str


def download_shards(
    rows: pd.DataFrame,
    folder: Path,
    get: Callable[[str], bytes],
    quota: int,
    side: int,
    workers: int = 32,
    shard_rows: int = 1000,
) -> Counter[str]:
    """Fill `folder` with `00000.tar`, `00000_stats.json`, ... until `quota` images are good or the rows end.

    Return the counts by reason. Shards that have their statistics are finished and are not fetched again.

    Args:
        rows: columns `url` and `caption`, and `sha256` or `md5` if the images' checksums are known.
        get: `Fetcher.get`.
        side: the smaller side of a kept image, in pixels.
        workers: links fetched at the same time.

    Raises `ValueError` when no host of a full shard answers. Nothing is written then, and the same call goes on later.
    """
    counts: Counter[str] = Counter()
    with ThreadPoolExecutor(workers) as pool, tqdm(total=quota, desc="good images", unit="image") as progress:
        for shard, start in enumerate(range(0, len(rows), shard_rows)):
            stats = folder / f"{shard:05d}_stats.json"
            if not stats.exists():
                part = rows.iloc[start : start + shard_rows].to_dict("records")
                outcomes = list(pool.map(lambda row: outcome_of(row, get, side), part))
                if len(part) == shard_rows and set(names_of(outcomes)) == {"dead_host"}:
                    raise ValueError(f"shard {shard}: none of {len(part)} hosts answers; is there a network? Run again to go on")
                write_shard(folder / f"{shard:05d}.tar", stats, start, outcomes, quota - counts["success"])
            found = Counter(json.loads(stats.read_text())["status"])
            counts += found
            progress.update(found["success"])
            log.info("shard %d: %s", shard, in_words(found))
            if counts["success"] >= quota:
                break
    return counts


def outcome_of(row: dict[str, Any], get: Callable[[str], bytes], side: int) -> Outcome:
    """Return the files of one sample, or the reason why there are none."""
    try:
        data = get(row["url"])
        verify(data, row)
        image = checked(data, side)
    except Rejected as rejected:
        return rejected.reason
    except Exception as error:
        # One of 50 k unknown answers may hit a bug in any library. The other images must not be lost for that.
        log.exception("%s", row["url"])
        return f"error_{type(error).__name__}"
    sizes = dict(zip(("width", "height", "original_width", "original_height"), image.size + image.original_size, strict=True))
    known = {"url": row["url"], "caption": row["caption"], "sha256": hashlib.sha256(data).hexdigest(), "status": "success"}
    return {"jpg": image.jpeg, "txt": row["caption"], "json": known | sizes}


def verify(data: bytes, row: dict[str, Any]) -> None:
    """Compare the checksums that the metadata hold. Raises `Rejected` if one differs."""
    for name in CHECKSUMS:
        if isinstance(row.get(name), str) and hashlib.new(name, data).hexdigest() != row[name].lower():
            raise Rejected("hash_mismatch")


def write_shard(shard: Path, stats: Path, start: int, outcomes: list[Outcome], left: int) -> None:
    """Write the first `left` good samples, named by their row. Then write the statistics, which mark the shard as whole."""
    good = [row for row, outcome in enumerate(outcomes) if isinstance(outcome, dict)]
    with replacing(shard) as draft, tarfile.open(draft, "w", format=tarfile.USTAR_FORMAT) as tar:
        for row in good[:left]:
            key = f"{start + row:09d}"
            for kind, content in files_of(outcomes[row], key).items():
                # No time and no user are stored, so the same samples give the same bytes.
                member = tarfile.TarInfo(f"{key}.{kind}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    status = Counter(names_of(outcomes)) + Counter(over_quota=len(good[left:]))
    status["success"] = len(good[:left])
    write_json(stats, {"count": len(outcomes), "successes": status["success"], "status": +status})


def files_of(sample: Any, key: str) -> dict[str, bytes]:
    """Return the files of a sample by their kind."""
    about = json.dumps(sample["json"] | {"key": key}, sort_keys=True)
    return {"jpg": sample["jpg"], "json": about.encode(), "txt": sample["txt"].encode()}


def names_of(outcomes: list[Outcome]) -> list[str]:
    return ["success" if isinstance(outcome, dict) else outcome for outcome in outcomes]


def in_words(counts: Counter[str]) -> str:
    """Return the counts as text: `success 812, dead_host 120, http_404 68`."""
    return ", ".join(f"{reason} {count}" for reason, count in counts.most_common())
