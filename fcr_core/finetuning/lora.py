"""Low-rank adapters (LoRA) for a short fine-tune, in attention and in resnets (Hu et al., 2021, arXiv 2106.09685)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffusers.loaders import StableDiffusionLoraLoaderMixin
from peft import LoraConfig, get_peft_model_state_dict

# FCR acts on features of resnets as much as on attention; most recipes for images adapt attention alone.
TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "conv1", "conv2", "conv_shortcut"]


def add_lora(unet: Any, rank: int) -> None:
    """Freeze the UNet and add adapters of the given rank. They start as zero."""
    unet.requires_grad_(False)
    unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=TARGETS))


def save_lora(unet: Any, folder: Path) -> None:
    """Write the adapters alone, so that `load_lora_weights(folder)` of a diffusers pipeline reads them.

    Their scale is 1 (alpha = rank).
    """
    # Keep peft's names: `convert_state_dict_to_diffusers` renames only those in attention, and diffusers does not read a
    # mixture of names whole.
    StableDiffusionLoraLoaderMixin.save_lora_weights(folder, unet_lora_layers=get_peft_model_state_dict(unet))


def merge_lora(unet: Any) -> None:
    """Fold the adapters into the weights and remove them."""
    unet.fuse_lora()
    unet.unload_lora()
