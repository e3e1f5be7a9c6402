"""A diffusers UNet split into encoder and decoder by block replay.

No forward of diffusers is copied. The encoder's blocks (`conv_in`, down blocks, mid block) are watched while the UNet runs, or
made to return recorded outputs instead of computing; time embedding, up blocks and output stay diffusers' own code.
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


@contextmanager
def replay(unet: UNet, features: Features) -> Iterator[None]:
    """Make the encoder's blocks return `features` instead of computing: a forward then costs the decoder only."""
    blocks = encoder_blocks(unet)
    before = {name: vars(block).get("forward") for name, block in blocks.items()}

    def constant(output: BlockOutput):
        return lambda *args, **kwargs: output

    try:
        for name, block in blocks.items():
            vars(block)["forward"] = constant(features[name])
        yield
    finally:
        for name, block in blocks.items():
            restore(block, "forward", before[name])


def restore(target: object, name: str, instance_attribute: Any) -> None:
    """Undo a patch of `target.name`: put the instance attribute back, or leave none if there was none."""
    if instance_attribute is None:
        vars(target).pop(name, None)
    else:
        setattr(target, name, instance_attribute)


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


def map_tensors(output: BlockOutput, function) -> BlockOutput:
    """`output` with `function` applied to each of its tensors."""
    if isinstance(output, torch.Tensor):
        return function(output)
    return tuple(map_tensors(part, function) for part in output)
