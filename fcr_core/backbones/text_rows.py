"""A prompt as one tensor: its token embeddings and, for SDXL, rows behind them with the rest of what the UNet reads of a prompt.

SDXL's UNet also reads a pooled embedding, and six numbers: original size, crop and target size of the picture (Podell et al.,
2023, arXiv 2307.01952, section 2.2). They fill further rows, padded with zeros. So whatever draws, drops, stores or shares out
prompts handles one tensor.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from fcr_core.unet.plain_unet import UNet

SIZES = 6


def reads_pooled(unet: UNet) -> bool:
    """Return True for UNets of SDXL's kind."""
    return unet.config.get("addition_embed_type") == "text_time"


def added_numbers(unet: UNet) -> int:
    """Return how many numbers the UNet reads of a prompt beside its token embeddings."""
    if not reads_pooled(unet):
        return 0
    return unet.config.projection_class_embeddings_input_dim - SIZES * unet.config.addition_time_embed_dim + SIZES


def added_rows(unet: UNet) -> int:
    """Return how many rows behind the token embeddings these numbers fill."""
    return -(-added_numbers(unet) // unet.config.cross_attention_dim)


def text_rows(pipe: Any, tokens: torch.Tensor, pooled: torch.Tensor | None = None) -> torch.Tensor:
    """Return prompts (N, L + R, D) of token embeddings (N, L, D) and, for SDXL, pooled embeddings (N, P).

    The picture counts as whole, at the size that the pipeline draws.
    """
    if pooled is None:
        return tokens
    side = pipe.unet.config.sample_size * pipe.vae_scale_factor
    sizes = torch.tensor([side, side, 0, 0, side, side]).to(pooled).expand(len(pooled), -1)
    added = torch.cat([pooled, sizes], 1)
    rows = added_rows(pipe.unet)
    padded = F.pad(added, (0, rows * tokens.shape[2] - added.shape[1]))
    return torch.cat([tokens, padded.unflatten(1, (rows, -1))], 1)


def unet_arguments(unet: UNet, text: torch.Tensor) -> dict[str, Any]:
    """Return the arguments of the UNet's forward beside sample and timestep, for prompts (B, L + R, D)."""
    if not reads_pooled(unet):
        return {"encoder_hidden_states": text}
    rows = added_rows(unet)
    pooled, sizes = text[:, -rows:].flatten(1)[:, : added_numbers(unet)].split([added_numbers(unet) - SIZES, SIZES], 1)
    return {"encoder_hidden_states": text[:, :-rows], "added_cond_kwargs": {"text_embeds": pooled, "time_ids": sizes}}


def pipeline_arguments(unet: UNet, text: torch.Tensor, null_text: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the arguments of a pipeline that stand for prompts (B, L + R, D) and for the null prompt (1, L + R, D)."""
    arguments = {}
    for prefix, rows in (("", text), ("negative_", null_text.expand_as(text))):
        read = unet_arguments(unet, rows)
        arguments[f"{prefix}prompt_embeds"] = read["encoder_hidden_states"]
        if reads_pooled(unet):
            arguments[f"{prefix}pooled_prompt_embeds"] = read["added_cond_kwargs"]["text_embeds"]
    return arguments
