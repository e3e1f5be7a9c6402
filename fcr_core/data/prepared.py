"""A data set on disk in the one form every stage reads: `prompts.parquet` and `images/{prompt_id}.png`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from PIL import Image
from tqdm import tqdm

from fcr_core.data.registry import CaptionedImage
from fcr_core.files import replacing


def prepare(records: list[CaptionedImage], folder: Path, name: str) -> None:
    """Write the records: columns `prompt_id`, `prompt`, `concept`, `split`; images as PNG."""
    with replacing(folder) as draft:
        (draft / "images").mkdir(parents=True)
        for record in tqdm(records, desc=name, unit="image"):
            record.image().save(draft / "images" / f"{record.prompt_id}.png")
        rows = [(r.prompt_id, r.prompt, r.concept, r.split) for r in records]
        table = pd.DataFrame(rows, columns=["prompt_id", "prompt", "concept", "split"])
        table.to_parquet(draft / "prompts.parquet", index=False)


def prompts_of(folder: Path, split: str) -> pd.DataFrame:
    """The rows of one split, in the data set's order."""
    table = pd.read_parquet(folder / "prompts.parquet")
    return table[table["split"] == split].reset_index(drop=True)


def image_files(folder: Path, prompt_ids: list[str]) -> list[Path]:
    """The images' files, in the order of the prompts."""
    return [folder / "images" / f"{prompt_id}.png" for prompt_id in prompt_ids]


def images_of(folder: Path, prompt_ids: list[str]) -> list[Image.Image]:
    """RGB images of the given prompts, in their order."""
    return [Image.open(file).convert("RGB") for file in image_files(folder, prompt_ids)]
