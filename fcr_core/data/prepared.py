"""A data set on disk, in the form that every stage reads: `prompts.parquet`, and images as PNG or where they already lie."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from fcr_core.data.pictures import Pictures
from fcr_core.data.registry import CaptionedImage
from fcr_core.data.source_files import SourceFiles
from fcr_core.jobs.files import replacing

log = logging.getLogger(__name__)


def prepare(
    records: list[CaptionedImage], folder: Path, name: str, size: int | None = None, files: SourceFiles | None = None
) -> None:
    """Write the records to `prompts.parquet`, with the columns `prompt_id`, `prompt`, `concept`, `split`.

    Pictures that the data set makes itself become `images/{prompt_id}.png`. Other images are not copied. For these the column
    `image` holds each path (missing = the prompt has no image), and `size` is the side that the image is cropped to when it is
    read.

    `files` are those that the records were read from. Their list is kept in the folder. The hash of their content is part of
    `prompts.parquet`, so that what follows from an image is made again when only the image has changed.

    Raises `ValueError` when images that are not copied come without a size.
    """
    rows = [(r.prompt_id, r.prompt, r.concept, r.split) for r in records]
    table = pd.DataFrame(rows, columns=["prompt_id", "prompt", "concept", "split"])
    with replacing(folder) as draft:
        draft.mkdir(parents=True)
        if all(record.read for record in records):
            (draft / "images").mkdir()
            for record in tqdm(records, desc=name, unit="image"):
                record.image(size).save(draft / "images" / f"{record.prompt_id}.png")
        else:
            table["image"] = pd.array([None if r.path is None else str(r.path) for r in records], dtype="str")
            table["size"] = pd.array([size] * len(records), dtype="Int64")
            if size is None and table["image"].notna().any():
                raise ValueError(f"{name} has images of its own sizes: say to what side to crop them (--size)")
            log.info("%s: %d prompts, %d of them with an image", name, len(table), table["image"].count())
        if files:
            files.write(draft)
        write_prompts(table, draft / "prompts.parquet", files.content if files else "")


def write_prompts(table: pd.DataFrame, file: Path, content: str) -> None:
    """Write a table as parquet, with the hash of the user's files among its metadata if it was made from any."""
    prompts = pa.Table.from_pandas(table, preserve_index=False)
    if content:
        prompts = prompts.replace_schema_metadata({**prompts.schema.metadata, b"source_files": content.encode()})
    pq.write_table(prompts, file)


def prompts_of(folder: Path, split: str, count: int | None = None) -> pd.DataFrame:
    """Return the rows of one split, in the order of the data set.

    `count` takes only so many, spread over the concepts as evenly as possible.
    """
    table = pd.read_parquet(folder / "prompts.parquet")
    rows = table[table["split"] == split].reset_index(drop=True)
    return rows if count is None else balanced(rows, count)


def hashed(ids: pd.Series) -> pd.Series:
    """Return the SHA-256 of each id. Prompts sorted by it have an order that depends neither on theme nor on file."""
    return ids.map(lambda prompt_id: hashlib.sha256(prompt_id.encode()).hexdigest())


def one_a_concept(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row of each concept, in the order of their hashed ids."""
    return table.sort_values("prompt_id", key=hashed).drop_duplicates("concept")


def balanced(table: pd.DataFrame, count: int) -> pd.DataFrame:
    """Choose `count` rows, spread over the concepts as evenly as possible, by a hash of their id. The order of the table is kept.

    Raises `ValueError` when the table has fewer rows.
    """
    if len(table) < count:
        raise ValueError(f"config key datasets.….train_images = {count}: the training split has only {len(table)} images")
    order = hashed(table["prompt_id"])
    rank = order.groupby(table["concept"]).rank()
    chosen = pd.DataFrame({"rank": rank, "order": order}).sort_values(["rank", "order"]).index[:count]
    return table.loc[chosen.sort_values()].reset_index(drop=True)


def images_of(folder: Path, prompt_ids: list[str]) -> Pictures:
    """Return the RGB images of the given prompts, in their order. Raises `ValueError` for a prompt that has none."""
    table = pd.read_parquet(folder / "prompts.parquet").set_index("prompt_id")
    if "image" not in table:
        return Pictures.of(folder, prompt_ids)
    rows = table.loc[prompt_ids]
    without = rows.index[rows["image"].isna()]
    if len(without):
        raise ValueError(f"{folder}: {len(without)} of {len(rows)} prompts have no image, the first is {without[0]}")
    return Pictures(rows["image"].tolist(), int(rows["size"].iloc[0]) if len(rows) else None)
