"""Read the encoder features of a diffusers UNet at one (x_t, t): the FCR loss and the feature measurements compare them.

The encoder is `conv_in`, the down blocks and the mid block. Stand-ins record what its blocks return while the UNet runs. No
`forward` of diffusers is copied. Hooks would not do: a block that was compiled before a hook was added does not run the hook.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from diffusers.models.unets.unet_2d_blocks import KCrossAttnUpBlock2D, KUpBlock2D
from torch import nn

from fcr_core.unet.block_copies import replace, shallow_copy
from fcr_core.unet.plain_unet import UNet, call_uncompiled, plain_unet, uncompiled

# The output of a block: a tensor (mid and up blocks) or (hidden, (residual, ...)) (down blocks).
BlockOutput = Any
# The tensors (B, C, h, w) that the up blocks from a cut on read. The key is the name of the block that made them.
Features = dict[str, tuple[torch.Tensor, ...]]
# Up blocks that read one residual, the last of those that a UNet hands them. The others read one for each resnet.
READ_ONE = (KUpBlock2D, KCrossAttnUpBlock2D)


class _EncoderDone(Exception):
    """Leaves the forward of a UNet when the up block at the cut is about to start."""


def blocks_before(unet: UNet, cut: int = 0) -> dict[str, str]:
    """Return the blocks that run before up block `cut`, in order: `down.0`, ..., `mid`, `up.0`, ... Values are module names.

    A UNet without a mid block has no `mid`.
    """
    down = {f"down.{i}": f"down_blocks.{i}" for i in range(len(unet.down_blocks))}
    mid = {"mid": "mid_block"} if getattr(unet, "mid_block", None) is not None else {}
    return down | mid | {f"up.{i}": f"up_blocks.{i}" for i in range(cut)}


@contextmanager
def capture(unet: UNet, cut: int = 0, decode: bool = True) -> Iterator[dict[str, BlockOutput]]:
    """Record the outputs of the blocks before `cut` in every UNet forward inside the `with` block.

    The dictionary holds the outputs of the last forward, by block name; `conv_in` is what the down blocks read. Without `decode`
    a forward ends with an exception before the up block at the cut.

    Raises `ValueError` when the UNet has no up block `cut`.
    """
    if cut not in range(len(unet.up_blocks)):
        raise ValueError(f"cut {cut!r}: {type(unet).__name__} has the up blocks 0 to {len(unet.up_blocks) - 1}")
    outputs: dict[str, BlockOutput] = {}
    own = dict(unet._modules)
    for name, place in blocks_before(unet, cut).items():
        block = unet.get_submodule(place)
        replace(unet, place, with_forward(block, recorder(name, block, outputs)))
    if not decode:
        replace(unet, f"up_blocks.{cut}", with_forward(unet.up_blocks[cut], stop))
    try:
        yield outputs
    finally:
        unet._modules.update(own)


def with_forward(block: nn.Module, forward: Callable[..., BlockOutput]) -> nn.Module:
    """Return a copy of `block` with another forward, for one pass. No cycle of references keeps what the forward holds."""
    made = shallow_copy(uncompiled(block))
    made.forward = forward
    return made


def recorder(name: str, block: nn.Module, outputs: dict[str, BlockOutput]) -> Callable[..., BlockOutput]:
    """Return a forward that runs `block` and records what it returns."""

    def forward(*args: Any, **kwargs: Any) -> BlockOutput:
        if name == "down.0":
            outputs.clear()
            outputs["conv_in"] = args[0] if args else kwargs["hidden_states"]
        outputs[name] = block(*args, **kwargs)
        return outputs[name]

    return forward


def stop(*_: Any, **__: Any) -> None:
    raise _EncoderDone


def encode(unet: UNet, *args: Any, cut: int = 0, **kwargs: Any) -> Features:
    """Run only the blocks before up block `cut`. Return the tensors that the up blocks from `cut` on would read.

    The arguments are those of the UNet's own `forward`. Of a compiled UNet the uncompiled module runs; blocks that are compiled
    one by one stay compiled.

    Raises `ValueError` for a wrapper that cannot be looked into, and for a UNet whose forward is replaced, as by `EncoderCache`.
    """
    plain = plain_unet(unet)
    with capture(plain, cut, decode=False) as outputs, suppress(_EncoderDone):
        call_uncompiled(plain, *args, **kwargs)
    return features_of(plain, outputs, cut)


def predict(unet: UNet, *args: Any, cut: int = 0, **kwargs: Any) -> tuple[torch.Tensor, Features]:
    """Run the whole UNet. Return its prediction, and the features that `encode` would return."""
    plain = plain_unet(unet)
    with capture(plain, cut) as outputs:
        prediction = call_uncompiled(plain, *args, **kwargs, return_dict=False)[0]
    return prediction, features_of(plain, outputs, cut)


def features_of(unet: UNet, outputs: dict[str, BlockOutput], cut: int = 0) -> Features:
    """Select from captured outputs the tensors that the up blocks from `cut` on read.

    Each resnet of these up blocks reads one residual; a K block reads one residual in all. The first of these up blocks also
    reads the hidden state. At cut 0 of most UNets the result is every residual of the encoder and the output of the mid block.
    Without a mid block the hidden state belongs to the last down block, whose last residual it mostly is.
    """
    last = list(blocks_before(unet, cut))[-1]
    made = [("conv_in", outputs["conv_in"])]
    for name in (name for name in outputs if name.startswith("down.")):
        made += [(name, residual) for residual in of_down_block(unet, outputs[name])[1]]
    read: dict[str, tuple[torch.Tensor, ...]] = {}
    for name, tensor in (made[place] for place in sorted(places_read(unet, len(made), cut))):
        if tensor is not None:
            read[name] = (*read.get(name, ()), tensor)
    hidden = of_down_block(unet, outputs[last])[0] if last.startswith("down.") else outputs[last]
    if not any(hidden is tensor for tensor in read.get(last, ())):
        read[last] = (*read.get(last, ()), hidden)
    return read


def of_down_block(unet: UNet, output: BlockOutput) -> BlockOutput:
    """Return the output of a down block. Raises `ValueError` unless it is (hidden, (residual, ...))."""
    if isinstance(output, tuple) and isinstance(output[1], tuple):
        return output
    raise ValueError(f"the down blocks of {type(unet).__name__} return no residuals: use a UNet of Stable Diffusion's kind")


def places_read(unet: UNet, count: int, cut: int) -> set[int]:
    """Return which of `count` residuals, counted from `conv_in` on, the up blocks from `cut` on read."""
    places: set[int] = set()
    for index, block in enumerate(map(uncompiled, unet.up_blocks)):
        start, end = count - len(block.resnets), count
        if index >= cut:
            places |= {end - 1} if isinstance(block, READ_ONE) else {*range(start, end)}
        count = start
    return places


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
