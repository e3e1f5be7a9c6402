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
from fcr_core.experiment.row import Row
from fcr_core.report.evidence import Evidence
from fcr_core.report.numbers import number
from fcr_core.tables.places import by_place
from fcr_core.tables.recipe_verdicts import DISTANCES

SHOWN, EXTREMES = 8, 3
# So that a page stays below 10 MB.
MOST_ROWS = 40
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
    """Pictures of one row; `kind` is its role."""

    name: str
    kind: str
    pictures: list[Picture]


@dataclass(frozen=True)
class Block:
    """Strips that were drawn from the same prompts; `title` names the place, where there are several."""

    title: str
    prompts: list[str]
    strips: list[Strip]


def shown_rows(evidence: Evidence) -> list[Row]:
    """All rows of a page of ordinary length; else uncached runs and goals, what the mechanism compares, and the next rows."""
    experiment = evidence.experiment
    rows, goals = list(experiment.rows), {row.goal for row in experiment.rows}
    at = experiment.mechanism.sampler if experiment.mechanism else ""

    def importance(row: Row) -> int:
        return 0 if row.cell == row.base or row.name in goals else 1 if row.cell.sampler.name == at else 2

    kept = sorted(rows, key=importance)[:MOST_ROWS]
    return [row for row in rows if row in kept]


def first_seed(evidence: Evidence, row: Row) -> tuple[Path, Path]:
    """Folders of a row's images and of its twins, of its first seed."""
    return evidence.folders(row)[0], evidence.twins(row)[0]


def shown_prompts(evidence: Evidence, rows: list[Row]) -> dict[str, str]:
    """The first prompts that every row and every twin has: id -> prompt."""
    folders = dict.fromkeys(folder for row in rows for folder in first_seed(evidence, row))
    manifests = [pd.read_parquet(folder / "manifest.parquet") for folder in folders]
    smallest = min(manifests, key=len).head(SHOWN)
    return dict(zip(smallest["prompt_id"], smallest["prompt"], strict=True))


def sample_blocks(evidence: Evidence, pool: ImagePool) -> list[Block]:
    """Place by place the prompts, a strip for the real images, where there are any, and one for each row."""
    blocks = []
    for place, rows in by_place(shown_rows(evidence)).items():
        prompts = shown_prompts(evidence, rows)
        data = Path(evidence.paths.data(place.dataset, evidence.sizes[place.backbone])).parent
        strips = real_strips(data, pool, prompts)
        for row in rows:
            folders = first_seed(evidence, row)
            found = [picture(pool, row.name, prompt_id, prompt, folders) for prompt_id, prompt in prompts.items()]
            strips.append(Strip(row.name, row.role, found))
        blocks.append(Block(str(place) if len(evidence.results.places) > 1 else "", list(prompts.values()), strips))
    return blocks


def real_strips(data: Path, pool: ImagePool, prompts: dict[str, str]) -> list[Strip]:
    """The real images of the prompts in one strip; none where a prompt has no image, as in PartiPrompts."""
    try:
        images = images_of(data, list(prompts))
    except ValueError:
        return []
    found = zip(images, images.paths, prompts.values(), strict=True)
    pictures = [Picture(pool.add(small_png(image)), None, f"real: {prompt}", path) for image, path, prompt in found]
    return [Strip("real images", "", pictures)]


def picture(pool: ImagePool, name: str, prompt_id: str, prompt: str, folders: tuple[Path, Path], note: str = "") -> Picture:
    image, twin = (folder / "images" / f"{prompt_id}.png" for folder in folders)
    tip = f"{prompt}\n{name}: {image}\nuncached twin: {twin}"
    return Picture(pool.add(png_of(image)), pool.add(png_of(twin)), f"{name}: {prompt}", tip, note)


def extremes(evidence: Evidence, pool: ImagePool, metric: str) -> list[tuple[Strip, ...]]:
    """The images of each cached row farthest from their uncached twins and the closest, over all seeds: (worst, best)."""
    found = []
    for row in shown_rows(evidence):
        arm = evidence.measured.arms[row.name]
        if not row.cached or metric not in arm:
            continue
        distances = arm.by_metric[metric].sort_values("value", ascending=False, kind="stable")
        worst, best = distances.head(EXTREMES), distances.tail(EXTREMES).iloc[::-1]
        found.append(tuple(Strip(row.name, row.role, chosen(evidence, row, pool, some)) for some in (worst, best)))
    return found


def chosen(evidence: Evidence, row: Row, pool: ImagePool, distances: pd.DataFrame) -> list[Picture]:
    """The pictures of some lines of a long table, each with its distance."""
    pictures = []
    for image in distances.itertuples():
        pair = Path(evidence.paths.samples(row.cell, image.seed)), Path(evidence.paths.samples(row.twin, image.seed))
        manifest = pd.read_parquet(pair[0] / "manifest.parquet").set_index("prompt_id")
        prompt = f"{manifest.loc[image.prompt_id, 'prompt']}, seed {image.seed}"
        pictures.append(picture(pool, row.name, image.prompt_id, prompt, pair, number(image.value, 4)))
    return pictures


def all_extremes(evidence: Evidence, pool: ImagePool) -> dict[str, list[tuple[Strip, ...]]]:
    """By the heading of the distance; those that were measured."""
    found = {title: extremes(evidence, pool, f"{metric}_own") for metric, title in DISTANCES.items()}
    return {title: pairs for title, pairs in found.items() if pairs}
