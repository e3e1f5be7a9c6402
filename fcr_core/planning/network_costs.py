"""What a backbone's networks cost an image, counted on the meta device: no weights, no hub."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from fcr_core.backbones.location import TEXT_ENCODER_REFERENCE
from fcr_core.backbones.published_configs import TOKENS
from fcr_core.backbones.tasks import conditioning_of
from fcr_core.cost.flops import UNetFlops, count_unet_flops
from fcr_core.planning.peak_memory import Networks, read


@dataclass(frozen=True)
class NetworkCosts:
    """FLOPs of one image, or clip of `frames`: a UNet pass by part, and what the VAE needs to decode and to encode it.

    `parameters` are the UNet's, `latent` and `text` the numbers in a latent and in a prompt's embedding, `pixels` those of the
    image or of all frames.
    """

    unet: UNetFlops
    decode: int
    encode: int
    parameters: int
    latent: int
    text: int
    pixels: int
    frames: int = 1


def network_costs(networks: Networks) -> NetworkCosts:
    """Of a backbone at its UNet's own size. The text encoder is left out: 0.02 % of an SD v1.5 image."""
    unet, tokens = networks.unet(), tokens_of(networks)
    with torch.device("meta"):
        vae = networks.vae().eval()
    task = conditioning_of(unet)
    shape = task.latent_shape(unet)
    latent = torch.empty(1, shape[0], *shape[-2:], device="meta")
    side = latent.shape[-1] * 2 ** (len(vae.config.block_out_channels) - 1)
    pixels = torch.empty(1, 3, side, side, device="meta")
    return NetworkCosts(
        unet=count_unet_flops(unet, tokens, frames=task.frames),
        decode=task.frames * flops_of(partial(vae.decode, latent)),
        encode=task.frames * flops_of(partial(vae.encode, pixels)),
        parameters=sum(p.numel() for p in unet.parameters()),
        latent=prod(shape),
        text=tokens * unet.config.cross_attention_dim,
        pixels=task.frames * side**2,
        frames=task.frames,
    )


def tokens_of(networks: Networks) -> int:
    """Tokens of a prompt, with padding."""
    reference = read(Path(networks.where.base.source) / TEXT_ENCODER_REFERENCE)
    return reference["max_tokens"] if reference else TOKENS


@torch.no_grad()
def flops_of(call: Any) -> int:
    """FLOPs (2 per multiply-add) of a call, attention included."""
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()
