"""Count what a sampling plan costs: passes, FLOPs by part of the UNet, cached bytes, and the speed-up that the FLOPs allow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from fcr_core.caching.plan import Plan
from fcr_core.unet.split_unet import SplitUNet
from fcr_core.unet.up_block_head import head_of

# Parts of the encoder that are not lists of blocks; `transformer_in` belongs to UNet3DConditionModel.
SINGLE_PARTS = {"conv_in": "conv_in", "transformer_in": "conv_in", "mid_block": "mid"}
LISTED_PARTS = {"down_blocks": "down", "up_blocks": "up"}


@dataclass(frozen=True)
class UNetFlops:
    """FLOPs (2 per multiply-add) of one pass of one sample, by part of the UNet.

    `parts`: conv_in, down.0, ..., mid, up.0, ..., rest. `rest` is the time embedding and the output convolution, which every pass
    needs. `heads`: the FLOPs of each up block that do not depend on the timestep (`fcr_core.unet.up_block_head`).
    """

    parts: dict[str, int]
    heads: dict[str, int]

    @property
    def full(self) -> int:
        return sum(self.parts.values())

    @property
    def encoder(self) -> int:
        """FLOPs of conv_in + down blocks + mid block."""
        return sum(flops for part, flops in self.parts.items() if part.split(".")[0] in ("conv_in", "down", "mid"))

    @property
    def decoder(self) -> int:
        return self.full - self.encoder

    def reused(self, plan: Plan) -> int:
        """Return the FLOPs of a pass that reuses features: the up blocks from the cut on, except a cached head.

        With `live` the shallow encoder blocks run too, and no head is cached.
        """
        ups = [part for part in self.parts if part.startswith("up.")]
        run = {"rest", *ups[plan.cut :]}
        if plan.live:
            run |= {"conv_in", *(f"down.{i}" for i in range(len(ups) - plan.cut))}
        head = self.heads.get(ups[plan.cut], 0) if not plan.live else 0
        return sum(flops for part, flops in self.parts.items() if part in run) - head


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


def passes(steps: int, plan: Plan) -> tuple[int, int]:
    """Return the encoder and decoder passes of a run: (key steps, decoders that run)."""
    groups = plan.keys.groups(steps)
    return len(groups), sum(len(group) if plan.live else len(plan.decoded(group)) for group in groups)


def sampling_flops(flops: UNetFlops, steps: int, plan: Plan, guided: bool = True) -> int:
    """Return the UNet FLOPs of one image."""
    encoder_passes, decoder_passes = passes(steps, plan)
    return (1 + guided) * (encoder_passes * flops.full + (decoder_passes - encoder_passes) * flops.reused(plan))


def flop_limit(flops: UNetFlops, steps: int, plan: Plan) -> float:
    """Return the speed-up over the uncached run that the plan's FLOPs allow."""
    return steps * 2 * flops.full / sampling_flops(flops, steps, plan)


def cached_bytes(unet: Any, plan: Plan, tokens: int, size: tuple[int, int] | None = None, frames: int = 16) -> int:
    """Return the bytes that a group keeps for one sample in the UNet's precision. A guided image has two samples."""
    twin = meta_twin(unet)
    with torch.no_grad():
        _, features = SplitUNet(twin, plan.cut, plan.live).whole(**meta_call(twin, tokens, size, frames))
    numbers = sum({id(x): x.numel() for x in features}.values())
    return numbers * unet.dtype.itemsize * (2 if plan.reuse == "linear" else 1)
