"""Fine-tune by a recipe: choose which weights learn, and sum the weighted terms to the loss of a step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler
from torch import nn

from fcr_core.experiment.recipe import Recipe
from fcr_core.finetuning.lora import add_lora, merge_lora, save_lora
from fcr_core.finetuning.loss_terms import DecodingTerms, NoisedTerms, RolloutTerms, Terms
from fcr_core.finetuning.trainable import check_inputs, trainable_unet
from fcr_core.sampling.trajectories import DDIMSteps, Trajectories
from fcr_core.training.training_set import TrainingSet
from fcr_core.unet.plain_unet import plain_unet
from fcr_core.unet.reuse_decoder import decoder_module, own_decoder


@dataclass(frozen=True)
class TrainedParts:
    """A UNet and the part of it that a recipe trains.

    `learning` is the module whose parameters are trained. `decoder` is the reuse decoder that they belong to, if the recipe
    trains one.
    """

    unet: Any
    recipe: Recipe
    learning: nn.Module
    decoder: Any = None

    def save(self, folder: Path) -> None:
        """Write `folder/unet` as `finished` makes it. If adapters were trained, also write them alone to `folder/lora`."""
        if self.recipe.trains == "lora":
            save_lora(self.unet, folder / "lora")
        self.finished().save_pretrained(folder / "unet")

    def finished(self) -> Any:
        """Return a UNet with the trained weights, with adapters folded in.

        If a reuse decoder was trained, the UNet has its up blocks and the other blocks of the base model.
        """
        if self.recipe.trains == "lora":
            merge_lora(self.unet)
        return self.unet if self.decoder is None else self.decoder


def trained_parts(unet: Any, recipe: Recipe, lora_rank: int = 16) -> TrainedParts:
    """Prepare the UNet for what the recipe trains, and return the parts.

    "unet" trains all weights. "lora" freezes them and adds adapters. "decoder" freezes them and adds a reuse decoder. Of a UNet
    that is compiled as a whole the uncompiled module is trained.

    Raises `ValueError` for a UNet whose weights could not be saved (`trainable_unet`).
    """
    unet = trainable_unet(unet)
    if recipe.trains == "unet":
        return TrainedParts(unet, recipe, unet)
    if recipe.trains == "lora":
        add_lora(unet, lora_rank)
        return TrainedParts(unet, recipe, unet)
    decoder = own_decoder(unet.requires_grad_(False).eval(), recipe.plan.cut)
    return TrainedParts(unet, recipe, decoder_module(decoder, recipe.plan.cut).requires_grad_(True), decoder)


class FineTuneLoss:
    """The loss of one step of a recipe, as a `StepLoss`. All terms are logged; those with a weight are summed.

    `sampling_steps` is the number of steps of the sampler that the recipe is for.

    Raises `ValueError` when the recipe needs trajectories and there are none, and for a UNet that needs inputs which training
    sets do not hold.
    """

    def __init__(
        self,
        unet: Any,
        scheduler: DDIMScheduler,
        data: TrainingSet,
        recipe: Recipe,
        batch: int,
        sampling_steps: int = 50,
        trajectories: Trajectories | None = None,
        decoder: Any = None,
    ) -> None:
        weights = {
            "denoise": recipe.denoise,
            "consistency": recipe.lam,
            "preserve": recipe.preserve,
            "decoding": recipe.decoding,
        }
        unet = plain_unet(unet)
        check_inputs(unet)
        self.weights = {name: weight for name, weight in weights.items() if weight}
        self.sources: list[Callable[[torch.Generator], Terms]] = []
        if recipe.trains != "decoder":
            self.sources.append(NoisedTerms(unet, scheduler, data, recipe, batch, sampling_steps))
        if not recipe.needs_trajectories:
            return
        if trajectories is None:
            raise ValueError("this recipe needs trajectories of the base model: give --trajectories")
        ddim = DDIMSteps.of(scheduler, trajectories.steps)
        if recipe.lam and recipe.source == "rollout":
            self.sources.append(RolloutTerms(unet, trajectories, ddim, recipe, batch))
        if recipe.decoding:
            self.sources.append(DecodingTerms(unet, trajectories, ddim, recipe, batch, decoder))

    def __call__(self, step: int, generator: torch.Generator) -> tuple[torch.Tensor, Terms]:
        loss, terms = self.total(generator)
        return loss, {name: value.detach() for name, value in terms.items()}

    @property
    def preserved(self) -> list[Any]:
        """Return the frozen networks that the loss holds beside the one that learns."""
        return [source.base for source in self.sources if isinstance(source, NoisedTerms) and source.base is not None]

    def total(self, generator: torch.Generator) -> tuple[torch.Tensor, Terms]:
        """Return the weighted sum, and all terms as tensors."""
        terms: Terms = {}
        for source in self.sources:
            terms |= source(generator)
        return torch.stack([weight * terms[name] for name, weight in self.weights.items()]).sum(), terms
