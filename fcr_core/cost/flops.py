"""Count what a UNet costs: FLOPs by part, and the bytes that a group of steps keeps. On the meta device: no weights."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from fcr_core.caching.plan import Plan
from fcr_core.cost.plan_flops import UNetFlops
from fcr_core.unet.split_unet import SplitUNet
from fcr_core.unet.up_block_head import head_of

# Parts of the encoder that are not lists of blocks; `transformer_in` belongs to UNet3DConditionModel.
SINGLE_PARTS = {"conv_in": "conv_in", "transformer_in": "conv_in", "mid_block": "mid"}
LISTED_PARTS = {"down_blocks": "down", "up_blocks": "up"}


def count_unet_flops(unet: Any, tokens: int, size: tuple[int, int] | None = None, frames: int = 16) -> UNetFlops:
    """Count the FLOPs of a UNet of any of the four classes from its config, on the meta device: no weights, no arithmetic.

    >>> from diffusers import UNet2DConditionModel
    >>> from fcr_core.backbones.published_configs import UNETS
    >>> with torch.device("meta"):
    ...     sd15 = UNet2DConditionModel(**UNETS["sd15"])
    >>> round(count_unet_flops(sd15, tokens=77).full / 2e9, 1)  # billions of multiply-adds
    401.6

    Args:
        tokens: length of the text.
        size: (h, w) of the latent. By default `sample_size` of the config.
        frames: frames of a clip, for UNets of videos.

    The count is exact. Attention is counted under the math backend, because the fused CPU kernel would count as 0.
    """
    twin = meta_twin(unet)
    counter = FlopCounterMode(display=False, depth=3)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        twin(**meta_call(twin, tokens, size, frames))
    counts = {name: sum(operations.values()) for name, operations in counter.get_flop_counts().items()}
    parts: dict[str, int] = {}
    for name, flops in counts.items():
        part = part_of(name)
        if part:
            parts[part] = parts.get(part, 0) + flops
    heads = {
        f"up.{index}": sum(counts[f"{type(twin).__name__}.up_blocks.{index}.{name}"] for name in head_of(block))
        for index, block in enumerate(twin.up_blocks)
    }
    return UNetFlops(parts | {"rest": counter.get_total_flops() - sum(parts.values())}, heads)


def meta_twin(unet: Any) -> Any:
    """Return the UNet's architecture without weights."""
    with torch.device("meta"):
        # AlphaBlender makes its parameter with a constructor that ignores the default device, so the twin is moved again.
        return type(unet).from_config(unet.config).to("meta").eval()


def meta_call(unet: Any, tokens: int, size: tuple[int, int] | None, frames: int) -> dict[str, Any]:
    """Return the arguments for one sample without content, in the layout of the UNet's class."""
    config = unet.config
    side = config.sample_size if size is None else size
    h, w = (side, side) if isinstance(side, int) else side
    kind = type(unet).__name__
    shapes = {
        "UNet2DConditionModel": (1, config.in_channels, h, w),
        "UNetSpatioTemporalConditionModel": (1, frames, config.in_channels, h, w),
    }
    # AnimateDiff's pipeline repeats the text for each frame.
    text = (frames if kind == "UNetMotionModel" else 1, tokens, config.cross_attention_dim)
    with torch.device("meta"):
        call: dict[str, Any] = {
            "sample": torch.empty(shapes.get(kind, (1, config.in_channels, frames, h, w))),
            "timestep": torch.empty((), dtype=torch.long),
            "encoder_hidden_states": torch.empty(text),
        }
        if kind == "UNetSpatioTemporalConditionModel":
            ids = config.projection_class_embeddings_input_dim // config.addition_time_embed_dim
            call["added_time_ids"] = torch.empty(1, ids)
        if config.get("addition_embed_type") == "text_time":
            pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
            call["added_cond_kwargs"] = {"text_embeds": torch.empty(1, pooled), "time_ids": torch.empty(1, 6)}
    return call


def part_of(module_name: str) -> str | None:
    """Map the name of a module to its part: `UNet2DConditionModel.down_blocks.0` -> "down.0".

    The result is None for modules inside a part and for modules that belong to no part.
    """
    match module_name.split(".")[1:]:
        case [name] if name in SINGLE_PARTS:
            return SINGLE_PARTS[name]
        case [name, index] if name in LISTED_PARTS:
            return f"{LISTED_PARTS[name]}.{index}"
    return None


def cached_bytes(unet: Any, plan: Plan, tokens: int, size: tuple[int, int] | None = None, frames: int = 16) -> int:
    """Return the bytes that a group keeps for one sample in the UNet's precision. A guided image has two samples."""
    twin = meta_twin(unet)
    with torch.no_grad():
        _, features = SplitUNet(twin, plan.cut, plan.live).whole(**meta_call(twin, tokens, size, frames))
    numbers = sum({id(x): x.numel() for x in features}.values())
    return numbers * unet.dtype.itemsize * (2 if plan.reuse == "linear" else 1)
