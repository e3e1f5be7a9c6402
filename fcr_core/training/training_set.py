"""Captioned images as latents and text embeddings, for training: encoded once for all, or each time they are drawn."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from PIL import ImageOps
from safetensors import safe_open
from safetensors.torch import save_file
from tqdm import tqdm

from fcr_core.backbones.loading import encode_null_prompt, encode_prompts
from fcr_core.backbones.tasks import conditioning_of
from fcr_core.data.pictures import Pictures
from fcr_core.data.pixels import slices
from fcr_core.data.prepared import images_of, prompts_of
from fcr_core.jobs.files import replacing
from fcr_core.jobs.kept_tensors import kept

# This share of captions is replaced by no prompt, so that the model can be guided (Ho & Salimans, 2022, arXiv 2207.12598).
UNCONDITIONAL_SHARE = 0.1
# Share of images that are flipped left to right, as the plan has it.
FLIP_SHARE = 0.5
ENCODED_AT_ONCE = 64


class TrainingSet(ABC):
    """Rows of an image and its caption. Batches are drawn from them; generators in the same state draw the same rows.

    `concepts` has one name for each row. `null_text` (1, L, D) is the embedding of no prompt (`encode_null_prompt`). With
    `mirror`, half of the images are flipped left to right. For SDXL, embeddings have further rows (`backbones.text_rows`).
    """

    concepts: list[str]
    null_text: torch.Tensor
    mirror: bool

    @abstractmethod
    def latents_of(self, rows: torch.Tensor, flipped: torch.Tensor) -> torch.Tensor:
        """Return the latents (B, C, h, w) of rows (B,), mirrored where `flipped` (B,) is true.

        The channels of the task follow the latents' own channels.
        """

    @abstractmethod
    def texts_of(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the caption embeddings (B, L, D) of rows (B,), in float32 but rounded to half precision."""

    @cached_property
    def rows_of_concept(self) -> list[torch.Tensor]:
        """The rows of each concept."""
        rows: dict[str, list[int]] = {}
        for row, concept in enumerate(self.concepts):
            rows.setdefault(concept, []).append(row)
        return [torch.tensor(members) for members in rows.values()]

    def draw_rows(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Draw rows (count,): first a concept uniformly, then one of its images.

        So the 25 pairs of skin tones of one couple do not outweigh 24 other concepts.
        """
        concepts = torch.randint(len(self.rows_of_concept), (count,), generator=generator)
        uniform = torch.rand(count, generator=generator)
        members = [self.rows_of_concept[concept] for concept in concepts]
        return torch.stack([m[int(u * len(m))] for m, u in zip(members, uniform, strict=True)])

    def draw(self, batch: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw `batch` latents (B, C, h, w) and embeddings (B, L, D).

        With `mirror` half of the latents are mirrored. Some embeddings are replaced by that of no prompt.
        """
        rows = self.draw_rows(batch, generator)
        flipped = torch.zeros(batch, dtype=torch.bool)
        if self.mirror:
            flipped = torch.rand(batch, generator=generator) < FLIP_SHARE
        return self.latents_of(rows, flipped), drop_text(self.texts_of(rows), self.null_text, generator)


@dataclass(frozen=True)
class EncodedSet(TrainingSet):
    """A training set that is encoded once: latents (N, C, h, w), text embeddings (N, L, D) and `concepts`, row-aligned.

    `mirrored` holds the latents of the images flipped left to right, if there are any.
    """

    latents: torch.Tensor
    texts: torch.Tensor
    null_text: torch.Tensor
    concepts: list[str]
    mirrored: torch.Tensor | None = None

    @property
    def mirror(self) -> bool:  # type: ignore[override]
        return self.mirrored is not None

    def latents_of(self, rows: torch.Tensor, flipped: torch.Tensor) -> torch.Tensor:
        latents = self.latents[rows]
        return latents if self.mirrored is None else torch.where(flipped.view(-1, 1, 1, 1), self.mirrored[rows], latents)

    def texts_of(self, rows: torch.Tensor) -> torch.Tensor:
        return self.texts[rows].float()

    def save(self, path: Path) -> None:
        """Write one safetensors file, with the concepts in its metadata.

        Embeddings are stored in half precision: 64 MB for 3.5 k prompts.
        """
        tensors = {"latents": self.latents, "texts": self.texts.half(), "null_text": self.null_text}
        if self.mirrored is not None:
            tensors["mirrored"] = self.mirrored
        with replacing(path) as draft:
            save_file(tensors, draft, metadata={"concepts": json.dumps(self.concepts)})

    @classmethod
    def load(cls, path: Path) -> EncodedSet:
        """Read what `save` wrote.

        The file is memory-mapped: it has 12 GB for 50 k images of 512 px, and a step reads only the rows that it draws.
        """
        with safe_open(path, "pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
            return cls(**tensors, concepts=json.loads(file.metadata()["concepts"]))


@dataclass(frozen=True)
class StreamedSet(TrainingSet):
    """A training set that is read from folders or webdataset shards.

    The pipeline's networks encode images and captions each time they are drawn.
    """

    pipe: Any
    images: Pictures
    prompt_ids: list[str]
    prompts: list[str]
    concepts: list[str]
    mirror: bool = False

    @classmethod
    def of(cls, pipe: Any, folder: Path, count: int | None = None, mirror: bool = False) -> StreamedSet:
        """Make the set from the training split of a prepared data set.

        `count` takes only so many images, spread over the concepts as evenly as possible.
        """
        table = prompts_of(folder, "train", count)
        ids, prompts, concepts = (table[column].tolist() for column in ("prompt_id", "prompt", "concept"))
        return cls(pipe, images_of(folder, ids), ids, prompts, concepts, mirror)

    @cached_property
    def null_text(self) -> torch.Tensor:  # type: ignore[override]
        with self._in_float32():
            return encode_null_prompt(self.pipe)

    def latents_of(self, rows: torch.Tensor, flipped: torch.Tensor) -> torch.Tensor:
        images, ids = [self.images[row] for row in rows], [self.prompt_ids[row] for row in rows]
        turned = [ImageOps.mirror(image) if flip else image for image, flip in zip(images, flipped, strict=True)]
        with self._in_float32():
            return conditioning_of(self.pipe.unet).encode(self.pipe, turned, ids)

    def texts_of(self, rows: torch.Tensor) -> torch.Tensor:
        with self._in_float32():
            return encode_prompts(self.pipe, [self.prompts[row] for row in rows]).half().float()

    def _in_float32(self) -> torch.autocast:
        """Turn autocast off. A step that trains in bf16 draws its batch under autocast, which must not change the batch."""
        return torch.autocast(self.pipe.device.type, enabled=False)


def drop_text(texts: torch.Tensor, null_text: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Replace `UNCONDITIONAL_SHARE` of the embeddings (B, L, D) by that of no prompt."""
    dropped = torch.rand(len(texts), 1, 1, generator=generator) < UNCONDITIONAL_SHARE
    return torch.where(dropped, null_text, texts)


def encode_training_set(data: StreamedSet, state: Path) -> EncodedSet:
    """Encode all rows of a set; with `mirror`, also flipped.

    Finished parts are kept in the folder `state`, where a later call finds them.
    """
    count = len(data.prompts)

    def latents(flipped: bool, rows: torch.Tensor) -> torch.Tensor:
        return data.latents_of(rows, torch.full((len(rows),), flipped))

    def encoded(name: str, of_rows: Any) -> torch.Tensor:
        parts = tqdm(slices(count, ENCODED_AT_ONCE), desc=name, unit="batch")
        rows = torch.arange(count)
        return joined(count, (kept(state / f"{name}-{part.start:08d}.pt", partial(of_rows, rows[part])) for part in parts))

    return EncodedSet(
        latents=encoded("images", partial(latents, False)),
        texts=encoded("captions", lambda rows: data.texts_of(rows).half()),
        null_text=data.null_text,
        concepts=data.concepts,
        mirrored=encoded("mirrored", partial(latents, True)) if data.mirror else None,
    )


def joined(count: int, parts: Iterable[torch.Tensor]) -> torch.Tensor:
    """Join parts to one tensor of `count` rows. Unlike `torch.cat`, this never holds the data twice."""
    filled, whole = 0, torch.empty(0)
    for part in parts:
        if not filled:
            whole = part.new_empty(count, *part.shape[1:])
        whole[filled : filled + len(part)] = part
        filled += len(part)
    return whole
