"""Fine-tuning with the FCR loss: L = L_denoise + λ · consistency, one full UNet pass and one encoder-only pass a step."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler
from torch import nn

from fcr_core.denoising import TrainingSet, prediction_target
from fcr_core.encoder import capture, encode
from fcr_core.loss import draw_time_pairs, feature_distance
from fcr_core.training import StepLoss


@dataclass(frozen=True)
class Recipe:
    """What a fine-tune adds to denoising. `max_delta` counts training timesteps; λ = 0 is the control without the FCR term."""

    lam: float
    max_delta: int = 10
    distance: str = "mse"


def fcr_loss(unet: nn.Module, scheduler: DDIMScheduler, data: TrainingSet, recipe: Recipe, batch: int) -> StepLoss:
    """The loss of one step. The consistency term reuses the features of the denoising pass.

    At λ = 0 the second pass is still run and logged, without gradients: the control sees the same data, noise and times.
    """

    def step_loss(step: int, generator: torch.Generator) -> tuple[torch.Tensor, dict[str, float]]:
        x0, text = data.draw(batch, generator)
        noise = torch.randn(x0.shape, generator=generator)
        t, t2 = draw_time_pairs(batch, recipe.max_delta, scheduler.config.num_train_timesteps, generator)

        with capture(unet) as features:
            prediction = unet(scheduler.add_noise(x0, noise, t), t, text).sample
        denoise = F.mse_loss(prediction, prediction_target(scheduler, x0, noise, t))
        with torch.set_grad_enabled(recipe.lam > 0):
            features2 = encode(unet, scheduler.add_noise(x0, noise, t2), t2, text)
            consistency, per_block = feature_distance(features, features2, recipe.distance)
        loss = denoise + recipe.lam * consistency if recipe.lam > 0 else denoise
        logged = {"denoise": denoise.item(), "consistency": consistency.item()}
        return loss, logged | {f"consistency/{name}": value.item() for name, value in per_block.items()}

    return step_loss
