"""Sampled images beside their uncached twins: a grid of the same prompts for every row, and each row's worst and best."""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from PIL import Image

from fcr_core.data.prepared import images_of
from fcr_core.report.numbers import number
from fcr_core.report.results import Results, kind_of
from fcr_core.tables.recipe_verdicts import DISTANCES

SHOWN, EXTREMES = 8, 3
LARGEST = 160


@dataclass
class ImagePool:
    """Each distinct image once, as a data URI; pictures name it by its index."""

    uris: list[str] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)

    def add(self, content: bytes) -> int:
        """The index of a PNG."""
        digest = hashlib.sha256(content).hexdigest()
        if digest not in self.known:
            self.known[digest] = len(self.uris)
            self.uris.append("data:image/png;base64," + base64.b64encode(content).decode())
        return self.known[digest]


def png_of(file: Path) -> bytes:
    """The bytes of a PNG file, or those of a smaller one where the image is larger than the page shows it."""
    with Image.open(file) as image:
        return file.read_bytes() if max(image.size) <= LARGEST else small_png(image)


def small_png(image: Image.Image) -> bytes:
    """The image as PNG, in place made as small as the page shows it on a fine screen."""
    image.thumbnail((LARGEST, LARGEST))
    written = io.BytesIO()
    image.save(written, "png")
    return written.getvalue()


@dataclass(frozen=True)
class Picture:
    """A sampled image and its uncached twin, by index into the pool; `told` is what a reader of the page hears."""

    image: int
    twin: int | None
    told: str
    tip: str
    note: str = ""


@dataclass(frozen=True)
class Strip:
    name: str
    kind: str
    pictures: list[Picture]


def first_seed(row: dict) -> tuple[Path, Path]:
    """Folders of a row's images and of its twins, of its first seed."""
    return Path(row["samples"][0]).parent, Path(row["twins"][0]).parent


def shown_prompts(results: Results) -> dict[str, str]:
    """The first prompts that every row and every twin has: id -> prompt."""
    manifests = [pd.read_parquet(folder / "manifest.parquet") for row in results.rows for folder in first_seed(row)]
    smallest = min(manifests, key=len).head(SHOWN)
    return dict(zip(smallest["prompt_id"], smallest["prompt"], strict=True))


def sample_strips(results: Results, pool: ImagePool) -> tuple[list[str], list[Strip]]:
    """The prompts, and a strip for the real images, where there are any, and one for each row."""
    prompts = shown_prompts(results)
    strips = real_strips(results, pool, prompts)
    for row in results.rows:
        name, folders = row["variation"]["name"], first_seed(row)
        found = [picture(pool, name, prompt_id, prompt, folders) for prompt_id, prompt in prompts.items()]
        strips.append(Strip(name, kind_of(name), found))
    return list(prompts.values()), strips


def real_strips(results: Results, pool: ImagePool, prompts: dict[str, str]) -> list[Strip]:
    """The real images of the prompts in one strip; none where a prompt has no image, as in PartiPrompts."""
    try:
        images = images_of(results.data, list(prompts))
    except ValueError:
        return []
    found = zip(images, images.paths, prompts.values(), strict=True)
    pictures = [Picture(pool.add(small_png(image)), None, f"real: {prompt}", path) for image, path, prompt in found]
    return [Strip("real images", "", pictures)]


def picture(pool: ImagePool, name: str, prompt_id: str, prompt: str, folders: tuple[Path, Path], note: str = "") -> Picture:
    image, twin = (folder / "images" / f"{prompt_id}.png" for folder in folders)
    tip = f"{prompt}\n{name}: {image}\nuncached twin: {twin}"
    return Picture(pool.add(png_of(image)), pool.add(png_of(twin)), f"{name}: {prompt}", tip, note)


def extremes(results: Results, pool: ImagePool, metric: str) -> list[tuple[Strip, Strip]]:
    """Of each cached row the images farthest from their uncached twins and the closest, over all seeds: (worst, best)."""
    found = []
    for row in results.rows:
        name = row["variation"]["name"]
        if row["variation"]["stride"] == 1:
            continue
        distances = results.measured[name].by_metric[f"{metric}_own"].sort_values("value", ascending=False, kind="stable")
        kind = kind_of(name)
        worst, best = distances.head(EXTREMES), distances.tail(EXTREMES).iloc[::-1]
        found.append((Strip(name, kind, chosen(row, pool, worst)), Strip(name, kind, chosen(row, pool, best))))
    return found


def chosen(row: dict, pool: ImagePool, distances: pd.DataFrame) -> list[Picture]:
    """The pictures of some rows of a long table, each with its distance; folders are named by their seed."""
    folders = {kind: {Path(file).parent.name: Path(file).parent for file in row[kind]} for kind in ("samples", "twins")}
    pictures = []
    for image in distances.itertuples():
        seed = f"seed{image.seed}"
        here = folders["samples"][seed]
        manifest = pd.read_parquet(here / "manifest.parquet").set_index("prompt_id")
        prompt = f"{manifest.loc[image.prompt_id, 'prompt']}, seed {image.seed}"
        pair = (here, folders["twins"][seed])
        pictures.append(picture(pool, row["variation"]["name"], image.prompt_id, prompt, pair, number(image.value, 4)))
    return pictures


def all_extremes(results: Results, pool: ImagePool) -> dict[str, list[tuple[Strip, Strip]]]:
    """By the heading of the distance."""
    return {title: extremes(results, pool, metric) for metric, title in DISTANCES.items()}
