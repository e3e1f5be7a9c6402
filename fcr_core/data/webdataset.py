"""A folder of webdataset shards (`00000.tar`, ...). The image, caption and metadata of a sample share their name."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePath

from fcr_core.data.folders import files_below
from fcr_core.data.official import choose_captions, refused, text_of
from fcr_core.data.pictures import SUFFIXES
from fcr_core.data.prompt_ids import distinct, prompt_ids
from fcr_core.data.registry import CaptionedImage
from fcr_core.data.tar_shards import SUFFIX, members_of, read_member
from fcr_core.data.text_files import decode, parse_json

COMPRESSED = re.compile(r"\.(tgz|tbz2?|txz|tar\.(gz|bz2|xz|zst))$", re.IGNORECASE)


def records(source: Path, official_split: str | None = None) -> list[CaptionedImage]:
    """Return one record for each image that has a caption, in the order of the shards. `source` may be a single shard.

    The caption is that of `.txt`, or else `caption` in `.json`. Images stay in their shards. Samples are split by hash unless
    `official_split` is given. If names begin anew in a shard, each prompt id begins with the shard's name.

    Raises `ValueError` for a folder without shards, for a shard that is compressed, cut off or without a captioned image, for two
    images that share a caption, and for a caption that is no text.
    """
    root = source if source.is_dir() else source.parent
    names: dict[Path, tuple[PurePath, PurePath]] = {}
    given: dict[Path, list[str]] = {}
    for shard in shards_of(source):
        for image, caption in captions_in(shard).items():
            names[shard / image] = shard.relative_to(root).with_suffix(""), PurePath(image)
            given[shard / image] = [caption]
    captions = choose_captions(source, given)
    ids = prompt_ids(distinct([names[image] for image in captions]))
    return [
        CaptionedImage(name, caption, name, image, official_split=official_split)
        for name, (image, caption) in zip(ids, captions.items(), strict=True)
    ]


def shards_of(source: Path) -> list[Path]:
    """Return the shards of a folder and of the folders below it. Raises `ValueError` if there is none, or a compressed one."""
    files = files_below(source)
    compressed = [file for file in files if COMPRESSED.search(file.name)]
    shards = [file for file in files if file.suffix.lower() == SUFFIX]
    if compressed:
        raise refused(compressed[0], "a compressed shard, but images are read in the middle of one: make it an uncompressed tar")
    if not shards:
        raise refused(source, "holds no webdataset shards (*.tar)")
    return shards


def captions_in(shard: Path) -> dict[str, str]:
    """Return the caption of each image of a shard, "" if it has none. Raises `ValueError` if none has one."""
    members = [PurePath(member) for member in members_of(shard)]
    images: dict[PurePath, list[PurePath]] = defaultdict(list)
    texts: dict[PurePath, dict[str, PurePath]] = defaultdict(dict)
    for member in members:
        kind = member.suffix.lower()
        if kind in SUFFIXES:
            images[member.with_suffix("")].append(member)
        elif kind in (".txt", ".json"):
            texts[member.with_suffix("")][kind] = member
    for sample, several in images.items():
        if len(several) > 1 and sample in texts:
            raise refused(shard, f"{several[0]} and {several[1]} share one caption: keep one of the images, or rename one")
    found = {str(image): caption_of(shard, texts.get(sample, {})) for sample, some in images.items() for image in some}
    if members and not any(caption.strip() for caption in found.values()):
        raise refused(shard, "holds no image with a caption (.txt, or caption in .json)")
    return found


def caption_of(shard: Path, texts: Mapping[str, PurePath]) -> str:
    """Return the text of a sample's `.txt`, or else the caption in its `.json`, or else ""."""
    caption = ""
    if text := texts.get(".txt"):
        caption = decode(read_member(shard, str(text)), shard / text)
    if not caption.strip() and (about := texts.get(".json")):
        content = parse_json(decode(read_member(shard, str(about)), shard / about, "a JSON file"), shard / about)
        try:
            caption = text_of(content.get("caption"))
        except (AttributeError, TypeError):
            raise refused(shard / about, "not a JSON object with a caption that is text") from None
    return caption
