"""The networks of an embedded backbone: made with fresh weights, and written as a pipeline of diffusers."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel

from fcr_core.backbones.loading import referenced_text_encoder
from fcr_core.backbones.location import TEXT_ENCODER_REFERENCE
from fcr_core.jobs.files import replacing, write_json
from fcr_core.training.embedded import SCHEDULER_CONFIG, Embedded


def build_vae(embedded: Embedded, seed: int) -> AutoencoderKL:
    """Return the VAE with fresh weights."""
    torch.manual_seed(seed)
    return AutoencoderKL(**embedded.vae_config)


def build_unet(embedded: Embedded, seed: int) -> UNet2DConditionModel:
    """Return the UNet with fresh weights."""
    torch.manual_seed(seed)
    return UNet2DConditionModel(**embedded.unet_config)


def save_pipeline(folder: Path, embedded: Embedded, vae: AutoencoderKL, unet: UNet2DConditionModel) -> None:
    """Write a diffusers pipeline folder with fp16 weights.

    The text encoder is stored as a reference to its package, not as a copy.
    """
    with replacing(folder) as draft:
        write_json(draft / TEXT_ENCODER_REFERENCE, embedded.text_encoder)
        pipe = StableDiffusionPipeline(
            vae=vae,
            unet=unet,
            scheduler=DDIMScheduler(**SCHEDULER_CONFIG),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
            **referenced_text_encoder(draft / TEXT_ENCODER_REFERENCE),
        )
        pipe.scheduler.save_pretrained(draft / "scheduler")
        pipe.save_config(draft)
        save_network(draft / "vae", vae)
        save_network(draft / "unet", unet)


def save_network(folder: Path, network: AutoencoderKL | UNet2DConditionModel) -> None:
    """Write one network in fp16."""
    shipped = copy.deepcopy(network).half()
    # The path it was loaded from on this machine means nothing to others.
    shipped.register_to_config(_name_or_path="")
    shipped.save_pretrained(folder)
