"""Draw images from prompts. The initial noise depends only on (prompt_id, seed), and a killed run goes on where it was."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pandas as pd
import torch
from numpy.lib.format import open_memmap
from PIL import Image
from tqdm import tqdm

from fcr_core.backbones.tasks import conditioning_of
from fcr_core.caching.encoder_cache import EncoderCache
from fcr_core.data.pixels import slices
from fcr_core.data.prepared import images_of
from fcr_core.experiment.sampler import SOLVERS, Sampler
from fcr_core.jobs.files import link_or_copy, replacing
from fcr_core.sampling.launch import LAUNCH

log = logging.getLogger(__name__)

# Row-aligned tensors, by name.
Inputs = dict[str, torch.Tensor]


def scheduler_of(sampler: Sampler, config: Any) -> Any:
    """Return the sampler's scheduler on the noise schedule of a pipeline's scheduler config."""
    solver = SOLVERS[sampler.scheduler]
    return getattr(diffusers, solver.scheduler).from_config(config, **dict(solver.options))


def noise_seed(prompt_id: str, seed: int) -> int:
    """Return the seed of one image's initial noise, an integer below 2^63."""
    return int.from_bytes(hashlib.sha256(f"{prompt_id}/{seed}".encode()).digest()[:8], "big") >> 1


def initial_noise(prompt_ids: list[str], seed: int, shape: tuple[int, ...]) -> torch.Tensor:
    """Return standard normal latents (B, *shape). Each image has its own generator, so no batch, shard or order can change it."""
    draws = [torch.randn(shape, generator=torch.Generator().manual_seed(noise_seed(p, seed))) for p in prompt_ids]
    return torch.stack(draws)


def step_seeds(prompt_ids: list[str], seed: int) -> torch.Tensor:
    """Return seeds (B,) for what a run draws of each image after its initial noise.

    They matter only if the scheduler or the pipeline draws anything.
    """
    return torch.tensor([noise_seed(f"{prompt_id}/steps", seed) for prompt_id in prompt_ids])


def latent_shape(pipe: Any) -> tuple[int, ...]:
    """Return the shape of one latent at the UNet's own size: (C, h, w) of an image, (C, F, h, w) of a clip."""
    return conditioning_of(pipe.unet).latent_shape(pipe.unet)


def launch_size(pipe: Any) -> int:
    """Return the number of images or clips in one launch."""
    return max(1, LAUNCH // conditioning_of(pipe.unet).frames)


def sampling_inputs(pipe: Any, prompt_ids: list[str], seed: int, images: Sequence[Image.Image] | None, rows: int) -> Inputs:
    """Return what a run gets beside prompts and initial noise: seeds of its steps, and what the task makes of the `images`.

    The last row is repeated up to `rows` before anything is computed, because a launch has a fixed size.
    """
    missing = rows - len(prompt_ids)
    ids = [*prompt_ids, *prompt_ids[-1:] * missing]
    pictures = [*images, *[images[-1]] * missing] if images else []
    given = conditioning_of(pipe.unet).sampling_inputs(pipe, pictures, ids) if pictures else {}
    return {"seeds": step_seeds(ids, seed), **given}


def sample_latents(
    pipe: Any, prompts: list[str], noise: torch.Tensor, sampler: Sampler, decoder: Any = None, inputs: Inputs | None = None
) -> torch.Tensor:
    """Return final latents (B, C, h, w) from the pipeline's own `__call__`, encoder-cached if the sampler has a plan.

    `decoder` is a reuse decoder made for the sampler's cut. `inputs` come from `sampling_inputs`.
    """
    given = dict(inputs or {})
    seeds = given.pop("seeds", None)
    generators = None if seeds is None else [torch.Generator().manual_seed(int(seed)) for seed in seeds]
    pipe.scheduler = scheduler_of(sampler, pipe.scheduler.config)
    cached = EncoderCache(pipe, sampler.plan, decoder=decoder) if sampler.plan else nullcontext()
    with cached:
        return pipe(
            prompts,
            **conditioning_of(pipe.unet).call_arguments(noise.to(pipe.device), given),
            num_inference_steps=sampler.steps,
            guidance_scale=sampler.guidance,
            generator=generators,
            output_type="latent",
        )[0]


@torch.no_grad()
def decode_latents(pipe: Any, latents: torch.Tensor) -> list[Image.Image]:
    """Return PIL images of latents (B, C, h, w). For clips (B, C, F, h, w) return each frame, clip by clip."""
    frames = latents if latents.dim() == 4 else latents.transpose(1, 2).flatten(0, 1)
    decoded = pipe.vae.decode(frames / pipe.vae.config.scaling_factor).sample
    processor = getattr(pipe, "video_processor", None) or pipe.image_processor
    return processor.postprocess(decoded.detach(), output_type="pil")


def launch(
    pipe: Any, prompts: list[str], noise: torch.Tensor, sampler: Sampler, decoder: Any = None, inputs: Inputs | None = None
) -> tuple[torch.Tensor, list[Image.Image]]:
    """Draw at most `launch_size` prompts in a launch of exactly that size. Return latents (B, C, h, w) and images.

    `inputs` have `launch_size` rows.
    """
    count, missing = len(prompts), launch_size(pipe) - len(prompts)
    filled = torch.cat([noise, torch.zeros(missing, *noise.shape[1:])])
    latents = sample_latents(pipe, [*prompts, *[""] * missing], filled, sampler, decoder, inputs)
    images = decode_latents(pipe, latents)
    return latents[:count], images[: count * len(images) // len(latents)]


def sample_to_folder(
    pipe: Any,
    prompts: pd.DataFrame,
    sampler: Sampler,
    seed: int,
    batch: int,
    partial: Path,
    folder: Path,
    decoder: Any = None,
    data: Path | None = None,
) -> None:
    """Fill `folder` with `images/{prompt_id}.png`, `latents.npy` (N, C, h, w) and `manifest.parquet`, all row-aligned.

    A clip is an animated PNG. Programs that know no animated PNG show its first frame.

    Args:
        prompts: a table with the columns `prompt_id` and `prompt`. It may have `text`, drawn in place of the prompt, and
            `noise_id`, on which the noise depends in place of the prompt's id.
        batch: number of images in a batch.
        partial: keeps finished batches, where a later call finds them.
        data: a prepared data set with one picture a prompt, for tasks that draw from pictures.
    """
    starts = range(0, len(prompts), batch)
    for start in tqdm(starts, desc=f"sampling seed {seed}", unit="batch"):
        part = partial / f"batch-{start:06d}"
        if not part.exists():
            rows = prompts.iloc[start : start + batch]
            _write_batch(rows, draw(pipe, rows, sampler, seed, decoder, data), seed, part)
    merge_folders([partial / f"batch-{start:06d}" for start in starts], folder)


def draw(
    pipe: Any, prompts: pd.DataFrame, sampler: Sampler, seed: int, decoder: Any = None, data: Path | None = None
) -> tuple[torch.Tensor, list[Image.Image]]:
    """Return latents (N, C, h, w) and images of all prompts, drawn launch by launch. Arguments are as for `sample_to_folder`."""
    ids, size = prompts["prompt_id"].tolist(), launch_size(pipe)
    noise_ids, texts = noise_ids_of(prompts), prompts.get("text", prompts["prompt"]).tolist()
    noise = initial_noise(noise_ids, seed, latent_shape(pipe))
    launches = []
    for part in slices(len(ids), size):
        inputs = sampling_inputs(pipe, noise_ids[part], seed, images_of(data, ids[part]) if data else None, size)
        launches.append(launch(pipe, texts[part], noise[part], sampler, decoder, inputs))
    return torch.cat([latents for latents, _ in launches]), [image for _, decoded in launches for image in decoded]


def noise_ids_of(prompts: pd.DataFrame) -> list[str]:
    """The id of each prompt that its noise depends on, beside the seed."""
    return prompts.get("noise_id", prompts["prompt_id"]).tolist()


def _write_batch(prompts: pd.DataFrame, drawn: tuple[torch.Tensor, list[Image.Image]], seed: int, folder: Path) -> None:
    (latents, images), ids = drawn, prompts["prompt_id"].tolist()
    frames = len(images) // len(ids)
    with replacing(folder) as draft:
        (draft / "images").mkdir(parents=True)
        files = [draft / "images" / f"{prompt_id}.png" for prompt_id in ids]
        for file, part in zip(files, slices(len(images), frames), strict=True):
            first, *others = images[part]
            first.save(file, save_all=frames > 1, append_images=others)
        np.save(draft / "latents.npy", latents.float().cpu().numpy())
        manifest = prompts[["prompt_id", "prompt"]].assign(
            noise_seed=[noise_seed(noise_id, seed) for noise_id in noise_ids_of(prompts)],
            sha256=[hashlib.sha256(file.read_bytes()).hexdigest() for file in files],
        )
        manifest.to_parquet(draft / "manifest.parquet", index=False)


def merge_folders(parts: list[Path], folder: Path) -> None:
    """Merge folders of samples into one, in their order.

    No image is read. Latents are read one folder at a time.
    """
    (folder / "images").mkdir(parents=True)
    for part in parts:
        for image in part.glob("images/*.png"):
            link_or_copy(image, folder / "images" / image.name)
    latents = [np.load(part / "latents.npy", mmap_mode="r") for part in parts]
    shape = (sum(map(len, latents)), *latents[0].shape[1:])
    merged, row = open_memmap(folder / "latents.npy", "w+", latents[0].dtype, shape), 0
    for rows in latents:
        merged[row : row + len(rows)] = rows
        row += len(rows)
    merged.flush()
    manifest = pd.concat([pd.read_parquet(part / "manifest.parquet") for part in parts], ignore_index=True)
    manifest.to_parquet(folder / "manifest.parquet", index=False)
