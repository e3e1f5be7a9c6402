"""The denoising loss of a latent diffusion model on cached latents and text embeddings."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler
from PIL import Image, ImageOps
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from tqdm import tqdm

from fcr_core.conditioning import conditioning_of
from fcr_core.data.prepared import balanced, images_of, prompts_of
from fcr_core.files import replacing
from fcr_core.images import slices
from fcr_core.kept import kept
from fcr_core.pipelines import encode_prompts
from fcr_core.training import StepLoss

# Share of captions replaced by "" so that the model can be guided (Ho & Salimans, 2022, arXiv 2207.12598).
UNCONDITIONAL_SHARE = 0.1
# The plan's horizontal flip.
FLIP_SHARE = 0.5
ENCODED_AT_ONCE = 64


@dataclass(frozen=True)
class TrainingSet:
    """Latents (N, C, h, w) and text embeddings (N, L, D), row-aligned with `concepts`; `null_text` (1, L, D) embeds "".

    Behind the latents' own channels are those that the task has beside them (`fcr_core.conditioning`). `mirrored`, where there
    is one, is the same of the images flipped left to right.
    """

    latents: torch.Tensor
    texts: torch.Tensor
    null_text: torch.Tensor
    concepts: list[str]
    mirrored: torch.Tensor | None = None

    def save(self, path: Path) -> None:
        """One safetensors file; the concepts ride in its metadata. Embeddings take half precision: 64 MB for 3.5 k prompts."""
        tensors = {"latents": self.latents, "texts": self.texts.half(), "null_text": self.null_text}
        if self.mirrored is not None:
            tensors["mirrored"] = self.mirrored
        with replacing(path) as draft:
            save_file(tensors, draft, metadata={"concepts": json.dumps(self.concepts)})

    @classmethod
    def load(cls, path: Path) -> TrainingSet:
        """Read what `save` wrote; the embeddings stay in half precision: of 50 k captions they are 6 GB."""
        with safe_open(path, "pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
            return cls(**tensors, concepts=json.loads(file.metadata()["concepts"]))

    @cached_property
    def rows_of_concept(self) -> list[torch.Tensor]:
        """The rows of each concept."""
        rows: dict[str, list[int]] = {}
        for row, concept in enumerate(self.concepts):
            rows.setdefault(concept, []).append(row)
        return [torch.tensor(members) for members in rows.values()]

    def draw_rows(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Rows (count,): a concept drawn uniformly, then one of its images.

        So the 25 pairs of skin tones of one couple do not outweigh 24 other concepts.
        """
        concepts = torch.randint(len(self.rows_of_concept), (count,), generator=generator)
        uniform = torch.rand(count, generator=generator)
        members = [self.rows_of_concept[concept] for concept in concepts]
        return torch.stack([m[int(u * len(m))] for m, u in zip(members, uniform, strict=True)])

    def draw(self, batch: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """`batch` latents (B, C, h, w), half of them mirrored if there are any, and embeddings (B, L, D), some of them of ""."""
        index = self.draw_rows(batch, generator)
        latents = self.latents[index]
        if self.mirrored is not None:
            flip = torch.rand(batch, 1, 1, 1, generator=generator) < FLIP_SHARE
            latents = torch.where(flip, self.mirrored[index], latents)
        return latents, drop_text(self.texts[index].float(), self.null_text, generator)


def drop_text(texts: torch.Tensor, null_text: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Embeddings (B, L, D) with `UNCONDITIONAL_SHARE` of them replaced by that of ""."""
    dropped = torch.rand(len(texts), 1, 1, generator=generator) < UNCONDITIONAL_SHARE
    return torch.where(dropped, null_text, texts)


def encode_training_set(pipe: Any, folder: Path, state: Path, count: int | None = None, mirror: bool = False) -> TrainingSet:
    """The training split of a prepared data set, or `count` of its images, encoded by the pipeline's networks for its task.

    With `mirror` each image is also encoded flipped left to right. What is encoded is kept in the folder `state`, where a later
    call finds it.
    """
    table = prompts_of(folder, "train")
    if count is not None:
        table = balanced(table, count)
    ids = table["prompt_id"].tolist()
    images, conditioning = images_of(folder, ids), conditioning_of(pipe.unet)

    def encoded(name: str, change: Callable[[Image.Image], Image.Image]) -> torch.Tensor:
        def batch(part: slice) -> torch.Tensor:
            return conditioning.encode(pipe, [change(image) for image in images[part]], ids[part])

        parts = tqdm(slices(len(images), ENCODED_AT_ONCE), desc=name, unit="batch")
        return torch.cat([kept(state / f"{name}-{part.start:08d}.pt", partial(batch, part)) for part in parts])

    return TrainingSet(
        latents=encoded("images", lambda image: image),
        texts=encode_prompts(pipe, table["prompt"].tolist()),
        null_text=encode_prompts(pipe, [""]),
        concepts=table["concept"].tolist(),
        mirrored=encoded("mirrored", ImageOps.mirror) if mirror else None,
    )


def prediction_target(scheduler: DDIMScheduler, x0: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """What the UNet predicts at x_t: ε, or v for v-prediction models."""
    if scheduler.config.prediction_type == "v_prediction":
        return scheduler.get_velocity(x0, noise, t)
    return noise


def denoising_loss(unet: nn.Module, scheduler: DDIMScheduler, data: TrainingSet, batch: int) -> StepLoss:
    """E ‖ε_θ(x_t, t, c) − ε‖², t ~ U{0..T-1} (Ho et al., 2020, arXiv 2006.11239, eq. 14)."""

    def step_loss(step: int, generator: torch.Generator) -> tuple[torch.Tensor, dict[str, float]]:
        x0, text = data.draw(batch, generator)
        noise = torch.randn(x0.shape, generator=generator)
        t = torch.randint(scheduler.config.num_train_timesteps, (batch,), generator=generator)
        prediction = unet(scheduler.add_noise(x0, noise, t), t, text).sample
        return F.mse_loss(prediction, prediction_target(scheduler, x0, noise, t)), {}

    return step_loss
