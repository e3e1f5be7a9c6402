"""The mini-validation of a fine-tune: how far the cached sampler ends from where the base model went uncached."""

from __future__ import annotations

from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import reduce
from diffusers import StableDiffusionPipeline

from fcr_core.caching.encoder_cache import EncoderCache
from fcr_core.caching.plan import Plan
from fcr_core.data.pixels import slices
from fcr_core.sampling.launch import LAUNCH
from fcr_core.sampling.trajectories import Trajectories, sample_trajectory


def cached_distance(pipe: StableDiffusionPipeline, trajectories: Trajectories, plan: Plan, decoder: Any = None) -> float:
    """Return the mean squared distance between final latents of the cached sampler and those of the trajectories.

    Both start from the same noise and prompts. The pipeline, with DDIM, samples with the weights that its UNet (or the reuse
    `decoder`) has now.
    """
    ends = []
    with EncoderCache(pipe, plan, decoder=decoder):
        for part in slices(len(trajectories.latents), LAUNCH):
            texts, noise = trajectories.texts[part], trajectories.latents[part, 0]
            visited = sample_trajectory(pipe, texts, trajectories.null_text, noise, trajectories.steps, trajectories.guidance)
            ends.append(visited[:, -1])
    return (torch.cat(ends) - trajectories.latents[:, -1]).square().mean().item()


def shared_distance(pipe: StableDiffusionPipeline, trajectories: Trajectories, plan: Plan, decoder: Any = None) -> float:
    """Compute `cached_distance`, shared out over the processes of `torchrun`. All get the same number, so all decide alike."""
    workers = PartialState()
    mine = trajectories.every(workers.num_processes, workers.process_index)
    count = len(mine.latents)
    total = torch.tensor([count * cached_distance(pipe, mine, plan, decoder), count], device=pipe.device)
    distance, runs = reduce(total, "sum")
    return (distance / runs).item()
