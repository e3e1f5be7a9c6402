"""The terms of a fine-tune's loss. One class for each source of samples: noised data, or trajectories of the base model."""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler
from diffusers.training_utils import compute_snr

from fcr_core.backbones.tasks import beside, conditioning_of
from fcr_core.backbones.text_rows import unet_arguments
from fcr_core.experiment.recipe import Recipe
from fcr_core.finetuning.cache_aware_term import CachedDecoding
from fcr_core.finetuning.consistency import feature_consistency_loss, feature_distance, feature_norms
from fcr_core.finetuning.step_pairs import draw_group_pairs, draw_time_pairs, group_deltas, plan_deltas
from fcr_core.sampling.trajectories import DDIMSteps, Trajectories
from fcr_core.training.denoising import prediction_target
from fcr_core.training.training_set import TrainingSet, drop_text
from fcr_core.unet.encoder_features import Features, encode, predict

# Scalars by name. A term without a weight in the recipe is only logged.
Terms = dict[str, torch.Tensor]


class NoisedTerms:
    """Compute the terms on x_t and x_{t−Δ} of the same x_0 and ε: `denoise`, `preserve` and `consistency`.

    `consistency` shares the denoising pass. At λ = 0 it is still logged, without gradients. So the control sees the same data,
    noise and times.
    """

    def __init__(
        self, unet: Any, scheduler: DDIMScheduler, data: TrainingSet, recipe: Recipe, batch: int, sampling_steps: int
    ) -> None:
        self.unet, self.scheduler, self.data, self.recipe, self.batch = unet, scheduler, data, recipe, batch
        self.conditioning = conditioning_of(unet)
        self.base = copy.deepcopy(unet).requires_grad_(False) if recipe.preserve else None
        times = scheduler.config.num_train_timesteps
        by_groups = recipe.times == "groups"
        self.deltas = group_deltas(recipe.stride, sampling_steps, times) if by_groups else plan_deltas(recipe.max_delta, times)

    def __call__(self, generator: torch.Generator) -> Terms:
        recipe = self.recipe
        encoded, text = self.data.draw(self.batch, generator)
        x0, channels, text = self.conditioning.training_inputs(self.unet, encoded, text)
        noise = torch.randn(x0.shape, generator=generator)
        key, reuse = draw_time_pairs(self.batch, self.deltas, self.scheduler.config.num_train_timesteps, generator)
        # All draws are made on the CPU, so they are the same on every device.
        drawn = (x0, channels, text, noise, key, reuse)
        x0, channels, text, noise, key, reuse = (tensor.to(self.unet.device) for tensor in drawn)
        # The pass whose features get no gradient needs no decoder, so the other pass denoises.
        t, other = (reuse, key) if recipe.stop_grad == "key" else (key, reuse)
        x_t = beside(self.scheduler.add_noise(x0, noise, t), channels)
        read = unet_arguments(self.unet, text)
        prediction, features = predict(self.unet, x_t, t, cut=recipe.plan.cut, **read)
        terms = {"denoise": self._denoising_error(prediction, prediction_target(self.scheduler, x0, noise, t), t)}
        terms |= {f"norm/{name}": value for name, value in feature_norms(features).items()}
        if self.base is not None:
            with torch.no_grad():
                wanted = self.base(x_t, t, **read).sample
            terms["preserve"] = F.mse_loss(prediction, wanted)
        if recipe.source == "noised":
            x_other = beside(self.scheduler.add_noise(x0, noise, other), channels)
            terms |= self._consistency(features, x_other, other, read)
        return terms

    def _denoising_error(self, prediction: torch.Tensor, target: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return the mean squared error. If the recipe gives γ, weigh it by min-SNR.

        The weights are min(SNR, γ)/SNR (Hang et al., 2023, arXiv 2303.09556). For v-prediction the divisor is SNR + 1.
        """
        if not self.recipe.min_snr:
            return F.mse_loss(prediction, target)
        snr = compute_snr(self.scheduler, t)
        weight = snr.clamp(max=self.recipe.min_snr) / (snr + (self.scheduler.config.prediction_type == "v_prediction"))
        return (weight * (prediction - target).square().flatten(1).mean(1)).mean()

    def _consistency(self, features: Features, x: torch.Tensor, t: torch.Tensor, read: dict[str, Any]) -> Terms:
        recipe = self.recipe
        with torch.set_grad_enabled(recipe.lam > 0 and recipe.stop_grad is None):
            others = encode(self.unet, x, t, cut=recipe.plan.cut, **read)
        pair = (others, features) if recipe.stop_grad == "key" else (features, others)
        return named(*feature_distance(*pair, recipe.distance, recipe.blocks))


class RolloutTerms:
    """Compute the term `consistency` on a key step and a step of its group, both on one trajectory of the base model."""

    def __init__(self, unet: Any, trajectories: Trajectories, ddim: DDIMSteps, recipe: Recipe, batch: int) -> None:
        self.unet, self.trajectories, self.ddim, self.recipe, self.batch = unet, trajectories, ddim, recipe, batch

    def __call__(self, generator: torch.Generator) -> Terms:
        recipe, x, t = self.recipe, self.trajectories.latents, self.ddim.timesteps
        rows = torch.randint(len(x), (self.batch,), generator=generator)
        key, step = draw_group_pairs(self.batch, recipe.stride, self.trajectories.steps, generator)
        text = drop_text(self.trajectories.texts[rows], self.trajectories.null_text, generator)
        drawn = (x[rows, key], t[key], x[rows, step], t[step], text)
        x_t, t1, x_t2, t2, text = (tensor.to(self.unet.device) for tensor in drawn)
        found = feature_consistency_loss(
            self.unet, x_t, t1, x_t2, t2, blocks=recipe.blocks, distance=recipe.distance, stop_grad=recipe.stop_grad,
            cut=recipe.plan.cut, **unet_arguments(self.unet, text),
        )  # fmt: skip
        return named(*found)


class DecodingTerms:
    """Compute the term `decoding`, the cache-aware term, on groups of the cached sampler along trajectories of the base model.

    With a reuse `decoder` nothing else learns.
    """

    def __init__(
        self, unet: Any, trajectories: Trajectories, ddim: DDIMSteps, recipe: Recipe, batch: int, decoder: Any = None
    ) -> None:
        self.decoding = CachedDecoding(unet, trajectories, ddim, recipe.plan, decoder)
        self.batch, self.encoder_learns = batch, decoder is None

    def __call__(self, generator: torch.Generator) -> Terms:
        groups = self.decoding.draw(self.batch, generator)
        return {"decoding": self.decoding.loss(groups, self.encoder_learns)}


def named(consistency: torch.Tensor, per_block: dict[str, torch.Tensor]) -> Terms:
    """Return a feature distance and its parts under the names in which they are logged."""
    return {"consistency": consistency} | {f"consistency/{name}": value for name, value in per_block.items()}
