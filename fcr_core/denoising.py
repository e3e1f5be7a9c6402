"""The denoising loss of a latent diffusion model on cached latents and text embeddings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from fcr_core.conditioning import conditioning_of
from fcr_core.data.prepared import images_of, prompts_of
from fcr_core.files import replacing
from fcr_core.pipelines import encode_prompts
from fcr_core.training import StepLoss

# Share of captions replaced by "" so that the model can be guided (Ho & Salimans, 2022, arXiv 2207.12598).
UNCONDITIONAL_SHARE = 0.1


@dataclass(frozen=True)
class TrainingSet:
    """Latents (N, C, h, w) and text embeddings (N, L, D), row-aligned with `concepts`; `null_text` (1, L, D) embeds "".

    Behind the latents' own channels are those that the task has beside them (`fcr_core.conditioning`).
    """

    latents: torch.Tensor
    texts: torch.Tensor
    null_text: torch.Tensor
    concepts: list[str]

    def save(self, path: Path) -> None:
        """One safetensors file; the concepts ride in its metadata. Embeddings take half precision: 64 MB for 3.5 k prompts."""
        tensors = {"latents": self.latents, "texts": self.texts.half(), "null_text": self.null_text}
        with replacing(path) as draft:
            save_file(tensors, draft, metadata={"concepts": json.dumps(self.concepts)})

    @classmethod
    def load(cls, path: Path) -> TrainingSet:
        """Read what `save` wrote."""
        with safe_open(path, "pt") as file:
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118 (not a dict)
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
        """`batch` latents (B, C, h, w) and embeddings (B, L, D), some of them of ""."""
        index = self.draw_rows(batch, generator)
        return self.latents[index], drop_text(self.texts[index], self.null_text, generator)


def drop_text(texts: torch.Tensor, null_text: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Embeddings (B, L, D) with `UNCONDITIONAL_SHARE` of them replaced by that of ""."""
    dropped = torch.rand(len(texts), 1, 1, generator=generator) < UNCONDITIONAL_SHARE
    return torch.where(dropped, null_text, texts)


def encode_training_set(pipe: Any, folder: Path) -> TrainingSet:
    """The training split of a prepared data set, encoded by the pipeline's VAE and text encoder, and for its task."""
    table = prompts_of(folder, "train")
    ids = table["prompt_id"].tolist()
    images = images_of(folder, ids)
    return TrainingSet(
        latents=conditioning_of(pipe.unet).encode(pipe, images, ids),
        texts=encode_prompts(pipe, table["prompt"].tolist()),
        null_text=encode_prompts(pipe, [""]),
        concepts=table["concept"].tolist(),
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
