"""A folder of webdataset shards (`00000.tar`, ...). The image, caption and metadata of a sample share their name."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

from fcr_core.data.official import refused, tidy
from fcr_core.data.pictures import SUFFIXES, members_of, read_member
from fcr_core.data.registry import CaptionedImage


def records(source: Path, official_split: str | None = None) -> list[CaptionedImage]:
    """Return one record for each sample that has a caption, in the order of the shards.

    The caption is that of `.txt`, or else `caption` in `.json`. Images stay in their shards. Samples are split by hash unless
    `official_split` is given.

    Raises `ValueError` for a folder without shards, and for a shard without a captioned image.
    """
    shards = sorted(source.glob("*.tar"))
    if not shards:
        raise refused(source, "holds no webdataset shards (*.tar)")
    return [record for shard in shards for record in records_of(shard, official_split)]


def records_of(shard: Path, official_split: str | None) -> list[CaptionedImage]:
    members = members_of(shard)
    images = [PurePosixPath(name) for name in members if PurePosixPath(name).suffix.lower() in SUFFIXES]
    captions = ((image, caption_of(shard, image.with_suffix(""), members)) for image in images)
    found = [
        CaptionedImage(name, tidy(caption), name, shard / image, official_split=official_split)
        for image, caption in captions
        if caption
        for name in ["-".join(image.with_suffix("").parts)]
    ]
    if members and not found:
        raise refused(shard, "holds no image with a caption (.txt, or caption in .json)")
    return found


def caption_of(shard: Path, sample: PurePosixPath, members: dict[str, tuple[int, int]]) -> str | None:
    if f"{sample}.txt" in members:
        return read_member(shard, f"{sample}.txt").decode()
    if f"{sample}.json" in members:
        return json.loads(read_member(shard, f"{sample}.json")).get("caption")
    return None
