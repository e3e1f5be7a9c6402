"""The points of the sampler plane drawn, timed and compared with the uncached images."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from diffusers import StableDiffusionPipeline
from PIL import Image

from fcr_core.cost.clock import measure_latency
from fcr_core.cost.plan_flops import UNetFlops, flop_limit, passes
from fcr_core.features import stlpips_alex
from fcr_core.jobs.files import replacing
from fcr_core.metrics import latent_mse
from fcr_core.sampling.samples import Sampler, draw, initial_noise, latent_shape, sample_latents
from fcr_core.tables.plane import Point

SEED = 0


def sampler_of(point: Point, guidance: float) -> Sampler:
    return Sampler(point.scheduler, point.steps, point.stride, guidance, point.cut, point.reuse, point.nodes, point.live)


def draw_to_file(
    pipe: StableDiffusionPipeline,
    prompts: pd.DataFrame,
    sampler: Sampler,
    file: Path,
    decoder: Any = None,
    data: Path | None = None,
) -> None:
    """An .npz of `latents` (N, C, h, w) and `images` (N, H, W, 3) of all prompts, paired with every other sampler's."""
    latents, images = draw(pipe, prompts, sampler, SEED, decoder, data)
    with replacing(file) as draft:
        np.savez(draft, latents=latents.float().cpu().numpy(), images=np.stack([np.asarray(image) for image in images]))


def distance(file: Path, uncached: Path, device: str = "cpu") -> pd.DataFrame:
    """One row a prompt, one column a metric."""
    mine, twin = np.load(file), np.load(uncached)
    pictures = [[Image.fromarray(image) for image in arrays["images"]] for arrays in (mine, twin)]
    return pd.DataFrame(
        {
            latent_mse.METRIC.name(): latent_mse.per_image(mine["latents"], twin["latents"]),
            stlpips_alex.NAME: stlpips_alex.distance(*pictures, device=device),
        }
    )


def seconds_an_image(
    pipe: StableDiffusionPipeline, prompts: pd.DataFrame, samplers: dict[str, Sampler], repeats: int, device: str
) -> pd.DataFrame:
    """`sampler`, `repeat`, `seconds_per_image` of one batch with all prompts, interleaved; text encoder included, VAE not."""
    noise = initial_noise(prompts["prompt_id"].tolist(), SEED, latent_shape(pipe))
    runs = {name: partial(sample_latents, pipe, prompts["prompt"].tolist(), noise, s) for name, s in samplers.items()}
    table = measure_latency(runs, repeats, device)
    return table.assign(seconds_per_image=table["seconds"] / len(prompts))


def counted_cost(flops: UNetFlops, sampler: Sampler, uncached_steps: int) -> dict[str, Any]:
    """Passes, and the speed-up over `uncached_steps` whole passes that FLOPs allow."""
    encoder_passes, decoder_passes = passes(sampler.steps, sampler.plan)
    limit = flop_limit(flops, sampler.steps, sampler.plan) * uncached_steps / sampler.steps
    return {"encoder_passes": encoder_passes, "decoder_passes": decoder_passes, "flop_limit": limit}
