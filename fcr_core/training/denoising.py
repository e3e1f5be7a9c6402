"""The denoising loss of a latent diffusion model."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler
from torch import nn

from fcr_core.training.loop import Scalars, StepLoss
from fcr_core.training.training_set import TrainingSet


def prediction_target(scheduler: DDIMScheduler, x0: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """Return what the UNet should predict at x_t: ε, or v for v-prediction models."""
    if scheduler.config.prediction_type == "v_prediction":
        return scheduler.get_velocity(x0, noise, t)
    return noise


def denoising_loss(unet: nn.Module, scheduler: DDIMScheduler, data: TrainingSet, batch: int) -> StepLoss:
    """Return the loss E ‖ε_θ(x_t, t, c) − ε‖², t ~ U{0..T-1} (Ho et al., 2020, arXiv 2006.11239, eq. 14), as a `StepLoss`.

    For v-prediction models the target is v instead of ε.
    """

    device = next(unet.parameters()).device

    def step_loss(step: int, generator: torch.Generator) -> tuple[torch.Tensor, Scalars]:
        x0, text = data.draw(batch, generator)
        noise = torch.randn(x0.shape, generator=generator)
        t = torch.randint(scheduler.config.num_train_timesteps, (batch,), generator=generator)
        # Everything is drawn on the CPU, so that it is the same on any device.
        x0, text, noise, t = (part.to(device) for part in (x0, text, noise, t))
        prediction = unet(scheduler.add_noise(x0, noise, t), t, text).sample
        return F.mse_loss(prediction, prediction_target(scheduler, x0, noise, t)), {}

    return step_loss
