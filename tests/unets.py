"""Tiny real UNets of every class that EncoderCache supports, and what to call them with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import (
    UNet2DConditionModel,
    UNet3DConditionModel,
    UNetMotionModel,
    UNetSpatioTemporalConditionModel,
)

FRAMES = 3
BLOCKS = {
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "cross_attention_dim": 8,
    "norm_num_groups": 4,
}
IMAGE = BLOCKS | {
    "sample_size": 8,
    "attention_head_dim": 2,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
}


# As in SDXL: a pooled text of 8 numbers and six numbers about the picture.
ADDED = {"addition_embed_type": "text_time", "addition_time_embed_dim": 4, "projection_class_embeddings_input_dim": 6 * 4 + 8}
# As in the latent upscaler of Stable Diffusion 2: K blocks, no mid block. Their groups want 32 channels.
K_BLOCKS = {
    "sample_size": 8, "block_out_channels": (32, 64, 64), "layers_per_block": 2, "cross_attention_dim": 8,
    "down_block_types": ("KDownBlock2D", "KCrossAttnDownBlock2D", "KCrossAttnDownBlock2D"),
    "up_block_types": ("KCrossAttnUpBlock2D", "KCrossAttnUpBlock2D", "KUpBlock2D"), "mid_block_type": None,
    "attention_head_dim": 8, "norm_num_groups": None, "act_fn": "gelu", "time_embedding_type": "fourier",
    "conv_in_kernel": 1, "conv_out_kernel": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Family:
    """How to build a UNet and the arguments of one call with `batch` samples; `latent` is the shape of what is sampled."""

    build: Callable[[], Any]
    latent: tuple[int, ...]
    call: Callable[[torch.Tensor, int], dict[str, Any]]


def image_unet(in_channels: int = 4, **options: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(in_channels=in_channels, out_channels=4, **IMAGE, **options)


def k_unet(**options: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(**K_BLOCKS, **options)


def added_conditions(rows: int) -> dict[str, torch.Tensor]:
    """What a UNet with `ADDED` reads beside the text."""
    generator = torch.Generator().manual_seed(rows)
    return {"text_embeds": torch.randn(rows, 8, generator=generator), "time_ids": torch.tensor([[16.0, 16, 0, 0, 16, 16]] * rows)}


def video_unet() -> UNet3DConditionModel:
    blocks = {"down_block_types": ("DownBlock3D", "CrossAttnDownBlock3D"), "up_block_types": ("CrossAttnUpBlock3D", "UpBlock3D")}
    return UNet3DConditionModel(**BLOCKS, **blocks, sample_size=8, attention_head_dim=4)


def motion_unet() -> UNetMotionModel:
    blocks = {
        "down_block_types": ("DownBlockMotion", "CrossAttnDownBlockMotion"),
        "up_block_types": ("CrossAttnUpBlockMotion", "UpBlockMotion"),
    }
    return UNetMotionModel(**BLOCKS, **blocks, sample_size=8, num_attention_heads=2, motion_num_attention_heads=2)


def spatio_temporal_unet() -> UNetSpatioTemporalConditionModel:
    return UNetSpatioTemporalConditionModel(
        in_channels=8,
        out_channels=4,
        sample_size=8,
        block_out_channels=(32, 64),
        down_block_types=("DownBlockSpatioTemporal", "CrossAttnDownBlockSpatioTemporal"),
        up_block_types=("CrossAttnUpBlockSpatioTemporal", "UpBlockSpatioTemporal"),
        layers_per_block=1,
        cross_attention_dim=8,
        num_attention_heads=2,
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=24,
        num_frames=FRAMES,
    )


def with_channels(extra: int) -> Callable[[torch.Tensor, int], dict[str, Any]]:
    """A mask, a masked image, a depth map: constant channels beside the sample."""

    def call(sample: torch.Tensor, guided: int) -> dict[str, Any]:
        channels = [torch.ones_like(sample[:, :1]) * 0.1 * i for i in range(extra)]
        return {"sample": torch.cat([sample, *channels], 1), "encoder_hidden_states": text(len(sample))}

    return call


def text(rows: int, tokens: int = 3) -> torch.Tensor:
    return torch.randn(rows, tokens, 8, generator=torch.Generator().manual_seed(rows))


def motion_call(sample: torch.Tensor, guided: int) -> dict[str, Any]:
    """AnimateDiff's pipeline repeats the text for each frame."""
    return {"sample": sample, "encoder_hidden_states": text(len(sample)).repeat_interleave(FRAMES, 0)}


def spatio_temporal_call(sample: torch.Tensor, guided: int) -> dict[str, Any]:
    """Stable Video Diffusion: the image's latents beside the noise, and (fps, motion, augmentation) ids."""
    return {
        "sample": torch.cat([sample, torch.zeros_like(sample)], 2),
        "encoder_hidden_states": text(len(sample), 1),
        "added_time_ids": torch.arange(3.0).repeat(len(sample), 1),
    }


FAMILIES = {
    "UNet2DCondition": Family(image_unet, (4, 8, 8), with_channels(0)),
    "9 channels": Family(lambda: image_unet(9), (4, 8, 8), with_channels(5)),
    "5 channels": Family(lambda: image_unet(5), (4, 8, 8), with_channels(1)),
    "UNet3DCondition": Family(video_unet, (4, FRAMES, 8, 8), with_channels(0)),
    "UNetMotion": Family(motion_unet, (4, FRAMES, 8, 8), motion_call),
    "UNetSpatioTemporal": Family(spatio_temporal_unet, (FRAMES, 4, 8, 8), spatio_temporal_call),
}


def built(name: str, seed: int = 0) -> Any:
    """The UNet of a family with fresh weights from `seed`."""
    torch.manual_seed(seed)
    return FAMILIES[name].build().eval()
