"""Cost of a backbone's networks by image, counted on the meta device: no weights, no hub."""

from __future__ import annotations

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
from fcr_core.backbones.text_rows import added_rows
from fcr_core.cost.flops import count_unet_flops
from fcr_core.planning.network_costs import NetworkCosts
from fcr_core.planning.peak_memory import Networks, bytes_of, bytes_of_pipeline, read, vae_scale


def count_networks(networks: Networks, side: int | None = None) -> NetworkCosts:
    """Count at images of `side` pixels, by default the UNet's own size.

    The FLOPs of the text encoder are left out: 0.02 % of an SD v1.5 image.
    """
    unet, tokens = networks.unet(), tokens_of(networks)
    with torch.device("meta"):
        vae = networks.vae().eval()
    if side:
        unet.register_to_config(sample_size=side // vae_scale(vae))
    task = conditioning_of(unet)
    shape = task.latent_shape(unet)
    latent = torch.empty(1, shape[0], *shape[-2:], device="meta")
    side = latent.shape[-1] * vae_scale(vae)
    pixels = torch.empty(1, 3, side, side, device="meta")
    return NetworkCosts(
        unet=count_unet_flops(unet, tokens, frames=task.frames),
        decode=task.frames * flops_of(partial(vae.decode, latent)),
        encode=task.frames * flops_of(partial(vae.encode, pixels)),
        parameters=sum(p.numel() for p in unet.parameters()),
        others=(bytes_of_pipeline(networks, unet) - bytes_of(unet)) // 4,
        latent=prod(shape),
        text=(tokens + added_rows(unet)) * unet.config.cross_attention_dim,
        pixels=task.frames * side**2,
        frames=task.frames,
    )


def tokens_of(networks: Networks) -> int:
    """Return the tokens of a prompt, with padding."""
    reference = read(Path(networks.where.base.source) / TEXT_ENCODER_REFERENCE)
    return reference["max_tokens"] if reference else TOKENS


@torch.no_grad()
def flops_of(call: Any) -> int:
    """Count the FLOPs (2 per multiply-add) of a call, attention included."""
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()
