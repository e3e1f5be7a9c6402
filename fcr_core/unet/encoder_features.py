"""Read the encoder features of a diffusers UNet at one (x_t, t): the FCR loss and the feature measurements compare them.

The encoder is `conv_in`, the down blocks and the mid block. Hooks record what its blocks return while the UNet runs. No
`forward` of diffusers is copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

# The output of a block: a tensor (conv_in, mid and up blocks) or (hidden, (residual, ...)) (down blocks).
BlockOutput = Any
# Any UNet class of diffusers: a module with conv_in, down_blocks, mid_block and up_blocks.
UNet = Any
# The tensors (B, C, h, w) that the up blocks from a cut on read. The key is the name of the block that made them.
Features = dict[str, tuple[torch.Tensor, ...]]


class _EncoderDone(Exception):
    """Leaves the forward of a UNet when the up block at the cut is about to start."""


def blocks_before(unet: UNet, cut: int = 0) -> dict[str, nn.Module]:
    """Return the blocks that run before up block `cut`, in order: `conv_in`, `down.0`, ..., `mid`, `up.0`, ..."""
    down = {f"down.{i}": block for i, block in enumerate(unet.down_blocks)}
    up = {f"up.{i}": unet.up_blocks[i] for i in range(cut)}
    return {"conv_in": unet.conv_in, **down, "mid": unet.mid_block, **up}


@contextmanager
def capture(unet: UNet, cut: int = 0) -> Iterator[dict[str, BlockOutput]]:
    """Record the outputs of the blocks before `cut` in every UNet forward inside the `with` block.

    The dictionary holds the outputs of the last forward, by block name.
    """
    outputs: dict[str, BlockOutput] = {}

    def recorder(name: str):
        def record(module: nn.Module, args: tuple, output: BlockOutput) -> None:
            outputs[name] = output

        return record

    handles = [block.register_forward_hook(recorder(name)) for name, block in blocks_before(unet, cut).items()]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def encode(unet: UNet, *args: Any, cut: int = 0, **kwargs: Any) -> Features:
    """Run only the blocks before up block `cut`. Return the tensors that the up blocks from `cut` on would read.

    The arguments are those of the UNet's own `forward`.
    """

    def stop(module: nn.Module, *_: Any) -> None:
        raise _EncoderDone

    handle = unet.up_blocks[cut].register_forward_pre_hook(stop)
    try:
        with capture(unet, cut) as outputs:
            unet(*args, **kwargs)
    except _EncoderDone:
        pass
    finally:
        handle.remove()
    return features_of(unet, outputs, cut)


def features_of(unet: UNet, outputs: dict[str, BlockOutput], cut: int = 0) -> Features:
    """Select from captured outputs the tensors that the up blocks from `cut` on read.

    Each resnet of these up blocks reads one residual. The first of these up blocks also reads the hidden state. At cut 0 the
    result is every residual of the encoder and the output of the mid block.
    """
    made = [("conv_in", outputs["conv_in"])]
    made += [(name, residual) for name in outputs if name.startswith("down.") for residual in outputs[name][1]]
    read: dict[str, list[torch.Tensor]] = {}
    for name, tensor in made[: sum(len(block.resnets) for block in unet.up_blocks[cut:])]:
        read.setdefault(name, []).append(tensor)
    before = f"up.{cut - 1}" if cut else "mid"
    return {name: tuple(tensors) for name, tensors in read.items()} | {before: (outputs[before],)}


def select_blocks(features: Features, blocks: tuple[str, ...] = ()) -> list[str]:
    """Turn names and groups of blocks into a list of block names.

    The group `early` is the shallower half of the down blocks (rounded up), and `late` is the deeper half. `mid` is the mid
    block. By default all blocks but `conv_in` are selected. `conv_in` is linear in x_t, so consistency there would erase the
    input.

    >>> select_blocks({"conv_in": (), "down.0": (), "down.1": (), "down.2": (), "mid": ()}, ("early", "mid"))
    ['down.0', 'down.1', 'mid']

    Raises `ValueError` for a name that is neither a block nor a group, and when nothing is left.
    """
    if not blocks:
        return [name for name in features if name != "conv_in"]
    down = [name for name in features if name.startswith("down.")]
    half = (len(down) + 1) // 2
    groups = {"early": down[:half], "late": down[half:]}
    wanted = [name for block in blocks for name in groups.get(block, [block])]
    unknown = [name for name in wanted if name not in features]
    if unknown or not wanted:
        raise ValueError(f"no blocks {unknown or list(blocks)}: here are {list(features)} and the groups {list(groups)}")
    return wanted
