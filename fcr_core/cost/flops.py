"""Count what a UNet costs: FLOPs by part, and the bytes that a group of steps keeps. On the meta device: no weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from fcr_core.caching.plan import Plan
from fcr_core.cost.plan_flops import UNetFlops
from fcr_core.unet.call_check import layout, needed
from fcr_core.unet.plain_unet import plain_unet
from fcr_core.unet.split_unet import SplitUNet
from fcr_core.unet.up_block_head import head_of

# Parts of the encoder that are not lists of blocks; `transformer_in` belongs to UNet3DConditionModel.
SINGLE_PARTS = {"conv_in": "conv_in", "transformer_in": "conv_in", "mid_block": "mid"}
LISTED_PARTS = {"down_blocks": "down", "up_blocks": "up"}


def count_unet_flops(unet: Any, tokens: int, size: tuple[int, int] | None = None, frames: int = 16) -> UNetFlops:
    """Count the FLOPs of a UNet of any of the four classes from its config, on the meta device: no weights, no arithmetic.

    Adapters are not counted. A UNet without a mid block has no part `mid`.

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

    Raises `ValueError` for a wrapper such as `DataParallel`, and for a UNet that reads image embeddings.
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
    unet = plain_unet(unet)
    with torch.device("meta"):
        # AlphaBlender makes its parameter with a constructor that ignores the default device, so the twin is moved again.
        return type(unet).from_config(unet.config).to("meta").eval()


def meta_call(unet: Any, tokens: int, size: tuple[int, int] | None, frames: int) -> dict[str, Any]:
    """Return the arguments for one sample without content, in the layout of the UNet's class."""
    config, kind = unet.config, type(unet).__name__
    side = config.sample_size if size is None else size
    h, w = (side, side) if isinstance(side, int) else side
    axes = {"batch": 1, "channels": config.in_channels, "frames": frames, "height": h, "width": w}
    width = config.get("encoder_hid_dim") or widest(config.cross_attention_dim)
    with torch.device("meta"):
        return {
            "sample": torch.empty([axes[axis] for axis in layout(unet)]),
            "timestep": torch.empty((), dtype=torch.long),
            # AnimateDiff's pipeline repeats the text for each frame.
            "encoder_hidden_states": torch.empty(frames if kind == "UNetMotionModel" else 1, tokens, width),
            **meta_conditions(unet),
        }


def meta_conditions(unet: Any) -> dict[str, Any]:
    """Return what a UNet needs beside sample, timestep and text, for one sample without content."""
    config = unet.config
    numbers, ids = config.get("projection_class_embeddings_input_dim"), config.get("addition_time_embed_dim")
    makers: dict[str, Callable[[], Any]] = {
        "added_time_ids": lambda: torch.empty(1, numbers // ids),
        "added_cond_kwargs": lambda: {"text_embeds": torch.empty(1, numbers - 6 * ids), "time_ids": torch.empty(1, 6)},
        "class_labels": lambda: meta_class(unet),
        "timestep_cond": lambda: torch.empty(1, config.time_cond_proj_dim),
    }
    wanted = needed(unet)
    known = [name for name in wanted if name in makers and wanted[name] in ((), ("text_embeds", "time_ids"))]
    if unknown := wanted.keys() - known:
        raise ValueError(f"the FLOPs of {type(unet).__name__} cannot be counted: it needs {', '.join(sorted(unknown))}")
    return {name: makers[name]() for name in known}


def meta_class(unet: Any) -> torch.Tensor:
    """Return the label of one class: its number, or the embedding that the UNet projects or adds."""
    config = unet.config
    if "projection" in (config.class_embed_type or ""):
        return torch.empty(1, config.projection_class_embeddings_input_dim)
    if config.class_embed_type == "identity":
        return torch.empty(1, unet.time_embedding.linear_2.out_features)
    return torch.empty(1, dtype=torch.float if config.class_embed_type else torch.long)


def widest(width: int | Sequence[int]) -> int:
    """Return the width of the text where every block has its own."""
    return width if isinstance(width, int) else max(width)


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
    return numbers * plain_unet(unet).dtype.itemsize * (2 if plan.reuse == "linear" else 1)
