"""Loading a backbone as a ready diffusers pipeline, and encoding prompts and images with it."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import AutoModel, AutoTokenizer

from fcr_core.data.emoji_art import package_folder
from fcr_core.images import slices
from fcr_core.reuse_decoder import own_decoder

# A pipeline folder may hold this file instead of a text encoder: {"package", "folder", "max_tokens"}.
TEXT_ENCODER_REFERENCE = "text_encoder_reference.json"


def load_pipeline(source: str | Path, unet: str | Path | None = None) -> StableDiffusionPipeline:
    """A Stable Diffusion pipeline in float32 with a DDIM scheduler, its networks frozen and in eval mode.

    `source` is a pipeline folder or a hub id; `unet` a folder whose fine-tuned UNet takes the place of the pipeline's own.
    """
    parts = referenced_text_encoder(Path(source) / TEXT_ENCODER_REFERENCE)
    if unet is not None:
        parts["unet"] = UNet2DConditionModel.from_pretrained(unet)
    pipe = StableDiffusionPipeline.from_pretrained(
        source, dtype=torch.float32, safety_checker=None, requires_safety_checker=False, **parts
    )
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    for part in (pipe.unet, pipe.vae, pipe.text_encoder):
        part.requires_grad_(False).eval()
    for part in (pipe.unet, pipe.vae):
        # 7 to 10 % faster on a CPU; on a GPU what half-precision convolutions want.
        part.to(memory_format=torch.channels_last)
    return pipe


def load_reuse_decoder(pipe: StableDiffusionPipeline, cut: int, folder: str | Path) -> UNet2DConditionModel:
    """The decoder of the UNet in `folder`, trained to read reused features; all other weights are shared with the pipeline's."""
    trained = UNet2DConditionModel.from_pretrained(folder).to(pipe.device, memory_format=torch.channels_last)
    return own_decoder(pipe.unet, cut, trained.requires_grad_(False).eval())


def referenced_text_encoder(reference: Path) -> dict[str, object]:
    """Text encoder and tokenizer from the package that `reference` names; nothing if there is no such file."""
    if not reference.exists():
        return {}
    where = json.loads(reference.read_text())
    folder = package_folder(where["package"], where["folder"])
    tokenizer = AutoTokenizer.from_pretrained(folder)
    # SD pipelines pad every prompt to this length.
    tokenizer.model_max_length = where["max_tokens"]
    return {"text_encoder": AutoModel.from_pretrained(folder), "tokenizer": tokenizer}


@torch.no_grad()
def encode_prompts(pipe: StableDiffusionPipeline, prompts: list[str], batch: int = 64) -> torch.Tensor:
    """Text embeddings (N, L, D) by the pipeline's own `encode_prompt`, without guidance."""
    return torch.cat([pipe.encode_prompt(prompts[part], pipe.device, 1, False)[0] for part in slices(len(prompts), batch)])


@torch.no_grad()
def encode_images(vae: AutoencoderKL, pixels: torch.Tensor, batch: int = 64) -> torch.Tensor:
    """Latents (N, C, h, w) of pixels (N, 3, H, W) in -1..1: posterior means times the VAE's scaling factor."""
    means = [vae.encode(pixels[part].to(vae.device)).latent_dist.mean for part in slices(len(pixels), batch)]
    return (torch.cat(means) * vae.config.scaling_factor).contiguous()
