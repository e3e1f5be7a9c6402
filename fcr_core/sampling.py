"""Prompts to images: the initial noise depends only on (prompt_id, seed), and a run that was killed goes on where it was."""

from __future__ import annotations

import hashlib
import logging
import shutil
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, StableDiffusionPipeline
from tqdm import tqdm

from fcr_core.cache import EncoderCache
from fcr_core.files import replacing
from fcr_core.images import slices
from fcr_core.schedule import KeySteps, Plan

log = logging.getLogger(__name__)

SCHEDULERS: dict[str, Any] = {
    "ddim": DDIMScheduler.from_config,
    "dpm++": lambda config: DPMSolverMultistepScheduler.from_config(config, algorithm_type="dpmsolver++"),
}


# Images a launch. Matrix kernels round by the number of rows (5e-6 in a latent, a grey level in 1 of 20,000 pixels), so a
# launch always has this many: a short one is filled up, and no batch size, shard or resume can change a bit.
LAUNCH = 20


@dataclass(frozen=True)
class Sampler:
    """How images are drawn: scheduler, number of steps, distance between key steps (1 = uncached) or the `keys` themselves,
    guidance scale, and what the steps of a group compute (`fcr_core.schedule.Plan`)."""

    scheduler: str
    steps: int
    stride: int | None
    guidance: float
    cut: int = 0
    reuse: str = "hold"
    nodes: int | None = None
    live: bool = False
    keys: tuple[int, ...] = ()

    @property
    def plan(self) -> Plan:
        keys = KeySteps.explicit(self.keys) if self.stride is None else KeySteps.uniform(self.stride)
        return Plan(keys, self.cut, self.reuse, self.nodes, self.live)


def noise_seed(prompt_id: str, seed: int) -> int:
    """The seed of one image's initial noise, below 2^63."""
    return int.from_bytes(hashlib.sha256(f"{prompt_id}/{seed}".encode()).digest()[:8], "big") >> 1


def initial_noise(prompt_ids: list[str], seed: int, shape: tuple[int, int, int]) -> torch.Tensor:
    """Standard normal latents (B, *shape), each image from its own generator: no batch, shard or order can change it."""
    draws = [torch.randn(shape, generator=torch.Generator().manual_seed(noise_seed(p, seed))) for p in prompt_ids]
    return torch.stack(draws)


def latent_shape(pipe: StableDiffusionPipeline) -> tuple[int, int, int]:
    """(C, h, w) of one latent image of the UNet's own size."""
    size = pipe.unet.config.sample_size
    return pipe.unet.config.in_channels, size, size


def sample_latents(
    pipe: StableDiffusionPipeline, prompts: list[str], noise: torch.Tensor, sampler: Sampler, decoder: Any = None
) -> torch.Tensor:
    """Final latents (B, C, h, w) from the pipeline's own `__call__`, encoder-cached unless the stride is 1.

    `decoder` is a reuse decoder made for the sampler's cut.
    """
    pipe.scheduler = SCHEDULERS[sampler.scheduler](pipe.scheduler.config)
    cached = EncoderCache(pipe, sampler.plan, decoder=decoder) if sampler.stride != 1 else nullcontext()
    with cached:
        return pipe(
            prompts,
            latents=noise.to(pipe.device),
            num_inference_steps=sampler.steps,
            guidance_scale=sampler.guidance,
            output_type="latent",
        ).images


@torch.no_grad()
def decode_latents(pipe: StableDiffusionPipeline, latents: torch.Tensor) -> list[Any]:
    """PIL images of latents (B, C, h, w)."""
    decoded = pipe.vae.decode(latents / pipe.vae.config.scaling_factor).sample
    return pipe.image_processor.postprocess(decoded.detach(), output_type="pil")


def launch(
    pipe: StableDiffusionPipeline, prompts: list[str], noise: torch.Tensor, sampler: Sampler, decoder: Any = None
) -> tuple[torch.Tensor, list[Any]]:
    """Latents (B, C, h, w) and images of at most `LAUNCH` prompts, drawn in a launch of exactly that size."""
    count = len(prompts)
    filled = [*prompts, *[""] * (LAUNCH - count)]
    latents = sample_latents(pipe, filled, torch.cat([noise, torch.zeros(LAUNCH - count, *noise.shape[1:])]), sampler, decoder)
    return latents[:count], decode_latents(pipe, latents)[:count]


def sample_to_folder(
    pipe: StableDiffusionPipeline,
    prompts: pd.DataFrame,
    sampler: Sampler,
    seed: int,
    batch: int,
    partial: Path,
    folder: Path,
    decoder: Any = None,
) -> None:
    """Fill `folder` with one PNG a prompt, `latents.npy` (N, C, h, w) and `manifest.parquet`, all row-aligned.

    `prompts` has the columns `prompt_id` and `prompt`. Finished shards of `batch` images are kept in `partial`, where a later
    call finds them.
    """
    starts = range(0, len(prompts), batch)
    for start in tqdm(starts, desc=f"sampling seed {seed}", unit="batch"):
        shard = partial / f"shard-{start:06d}"
        if not shard.exists():
            _write_shard(pipe, prompts.iloc[start : start + batch], sampler, seed, shard, decoder)
    merge_shards([partial / f"shard-{start:06d}" for start in starts], folder)


def _write_shard(
    pipe: StableDiffusionPipeline, prompts: pd.DataFrame, sampler: Sampler, seed: int, shard: Path, decoder: Any
) -> None:
    ids = prompts["prompt_id"].tolist()
    noise = initial_noise(ids, seed, latent_shape(pipe))
    launches = [
        launch(pipe, prompts["prompt"].tolist()[part], noise[part], sampler, decoder) for part in slices(len(ids), LAUNCH)
    ]
    images = [image for _, decoded in launches for image in decoded]
    with replacing(shard) as draft:
        draft.mkdir()
        for prompt_id, image in zip(ids, images, strict=True):
            image.save(draft / f"{prompt_id}.png")
        np.save(draft / "latents.npy", torch.cat([latents for latents, _ in launches]).float().cpu().numpy())
        manifest = prompts[["prompt_id", "prompt"]].assign(
            noise_seed=[noise_seed(prompt_id, seed) for prompt_id in ids],
            sha256=[hashlib.sha256((draft / f"{p}.png").read_bytes()).hexdigest() for p in ids],
        )
        manifest.to_parquet(draft / "manifest.parquet", index=False)


def merge_shards(shards: list[Path], folder: Path) -> None:
    """One folder from the shards, in their order."""
    folder.mkdir(parents=True, exist_ok=True)
    for shard in shards:
        for image in shard.glob("*.png"):
            shutil.copy(image, folder)
    np.save(folder / "latents.npy", np.concatenate([np.load(shard / "latents.npy") for shard in shards]))
    manifest = pd.concat([pd.read_parquet(shard / "manifest.parquet") for shard in shards], ignore_index=True)
    manifest.to_parquet(folder / "manifest.parquet", index=False)
