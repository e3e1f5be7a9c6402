"""The encoder of a diffusers UNet: its features at one (x_t, t), as the FCR loss and its measurements compare them.

No forward of diffusers is copied: the encoder's blocks (`conv_in`, down blocks, mid block) are watched while the UNet runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

# What a block returns: a tensor (conv_in, mid) or (hidden, (residual, ...)) (down blocks).
BlockOutput = Any
# Any UNet class of diffusers: a module with conv_in, down_blocks, mid_block and up_blocks.
UNet = Any
Features = dict[str, BlockOutput]


class _EncoderDone(Exception):
    """Leaves a UNet forward as soon as the decoder would start."""


def encoder_blocks(unet: UNet) -> dict[str, nn.Module]:
    """The encoder's blocks in order: `conv_in`, `down.0`, ..., `mid`."""
    down = {f"down.{i}": block for i, block in enumerate(unet.down_blocks)}
    return {"conv_in": unet.conv_in, **down, "mid": unet.mid_block}


@contextmanager
def capture(unet: UNet) -> Iterator[Features]:
    """Record the outputs of the encoder's blocks of every forward inside the block (the last one stays)."""
    features: Features = {}

    def recorder(name: str):
        def record(module: nn.Module, args: tuple, output: BlockOutput) -> None:
            features[name] = output

        return record

    handles = [block.register_forward_hook(recorder(name)) for name, block in encoder_blocks(unet).items()]
    try:
        yield features
    finally:
        for handle in handles:
            handle.remove()


def encode(unet: UNet, *args: Any, **kwargs: Any) -> Features:
    """Run the encoder only and return the outputs of its blocks; arguments as for the UNet itself."""

    def stop(module: nn.Module, *_: Any) -> None:
        raise _EncoderDone

    handle = unet.up_blocks[0].register_forward_pre_hook(stop)
    try:
        with capture(unet) as features:
            unet(*args, **kwargs)
    except _EncoderDone:
        pass
    finally:
        handle.remove()
    return features


def consistency_blocks(features: Features) -> list[str]:
    """All blocks but `conv_in`, which is linear in x_t: consistency there would erase the input."""
    return [name for name in features if name != "conv_in"]


def tensors_of(output: BlockOutput) -> list[torch.Tensor]:
    """The tensors of a block's output that the decoder reads, each once: (B, C, h, w) each."""
    if isinstance(output, torch.Tensor):
        return [output]
    hidden, residuals = output
    return [*residuals] if any(hidden is residual for residual in residuals) else [*residuals, hidden]
