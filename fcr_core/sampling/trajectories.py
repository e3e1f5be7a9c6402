"""Guided DDIM trajectories of the base model: where the sampler is at each step, and what it should predict there.

Pairs that share x_0 and ε can teach a decoder no more than E[ε | x_t], which is the same for a whole group. Along one trajectory
x_{t_i} is a function of (x_key, t_i). So features of x_key can in principle yield the prediction at each step of the group.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from safetensors import safe_open
from safetensors.torch import save_file

from fcr_core.backbones.text_rows import pipeline_arguments
from fcr_core.jobs.files import replacing


@dataclass(frozen=True)
class Trajectories:
    """N runs of `steps` steps with one guidance scale. `texts` are (N, L, D) and `null_text` is (1, L, D).

    `latents` are (N, steps + 1, C, h, w), from the initial noise on. Or they hold only the first and last of each run,
    (N, 2, C, h, w).
    """

    latents: torch.Tensor
    texts: torch.Tensor
    null_text: torch.Tensor
    guidance: float
    steps: int

    def every(self, count: int, first: int) -> Trajectories:
        """Return each `count`-th run, starting with run number `first`."""
        return replace(self, latents=self.latents[first::count], texts=self.texts[first::count])

    def save(self, path: Path) -> None:
        """Write one safetensors file.

        It is in float32, because predictions are differences of neighbouring latents.
        """
        tensors = {"latents": self.latents, "texts": self.texts, "null_text": self.null_text}
        about = {"guidance": str(self.guidance), "steps": str(self.steps)}
        with replacing(path) as draft:
            save_file({k: v.contiguous() for k, v in tensors.items()}, draft, metadata=about)

    @classmethod
    def load(cls, path: Path) -> Trajectories:
        """Read what `save` wrote."""
        with safe_open(path, "pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
            about = file.metadata()
            return cls(**tensors, guidance=float(about["guidance"]), steps=int(about["steps"]))


def sample_trajectory(
    pipe: StableDiffusionPipeline, texts: torch.Tensor, null_text: torch.Tensor, noise: torch.Tensor, steps: int, guidance: float
) -> torch.Tensor:
    """Return the latents (B, steps + 1, C, h, w) of one uncached run of the pipeline from `noise` (B, C, h, w)."""
    visited = [noise]

    def note(_pipe: Any, _step: int, _t: Any, values: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        visited.append(values["latents"].cpu())
        return {}

    pipe(
        **pipeline_arguments(pipe.unet, texts.to(pipe.device), null_text.to(pipe.device)),
        latents=noise.to(pipe.device),
        num_inference_steps=steps,
        guidance_scale=guidance,
        output_type="latent",
        callback_on_step_end=note,
    )
    return torch.stack(visited, 1)


@dataclass(frozen=True)
class DDIMSteps:
    """DDIM's steps x_{i+1} = a_i · x_i + b_i · ε_i without noise (Song et al., 2020, arXiv 2010.02502, eq. 12), i < steps."""

    timesteps: torch.Tensor
    a: torch.Tensor
    b: torch.Tensor

    @classmethod
    def of(cls, scheduler: DDIMScheduler, steps: int) -> DDIMSteps:
        """Return the coefficients of the scheduler's `steps` steps.

        Raises `ValueError` unless the scheduler predicts ε and clips nothing.
        """
        config = scheduler.config
        if config.prediction_type != "epsilon" or config.clip_sample or config.thresholding:
            raise ValueError("trajectories need a scheduler with prediction_type epsilon that clips nothing")
        scheduler.set_timesteps(steps)
        now = scheduler.timesteps
        before = now - config.num_train_timesteps // steps
        alpha = scheduler.alphas_cumprod[now]
        alpha_next = torch.where(before >= 0, scheduler.alphas_cumprod[before.clamp(min=0)], scheduler.final_alpha_cumprod)
        a = (alpha_next / alpha).sqrt()
        return cls(now, a, (1 - alpha_next).sqrt() - a * (1 - alpha).sqrt())

    def prediction(self, x: torch.Tensor, x_next: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        """Return the ε_i (B, C, h, w) that leads from x_i to x_{i+1}. `step` (B,) holds the index i of each row."""
        a, b = (c[step].view(-1, *[1] * (x.dim() - 1)) for c in (self.a, self.b))
        return (x_next - a * x) / b
