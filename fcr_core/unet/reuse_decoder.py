"""The reuse decoder: a second set of weights for the up blocks, which runs between key steps only.

At a key step the UNet runs unchanged. So uncached images stay those of the base model, bit for bit. Only the decoder that reads
reused features is trained to read them.
"""

from __future__ import annotations

import copy
from typing import Any

from torch import nn

from fcr_core.unet.block_copies import replace, shallow_copy

# The modules after the last up block.
OUTPUT = ("conv_norm_out", "conv_out")


def own_decoder(unet: Any, cut: int, source: Any = None) -> Any:
    """Return a UNet with its own weights in the up blocks from `cut` on and in the output convolution.

    It shares all other weights with `unet`. Its own weights are those of `source`, a trained UNet, or else copies of those of
    `unet`. Use the result as `EncoderCache(pipe, cut=cut, decoder=...)`.
    """
    made = shallow_copy(unet)
    for name in decoder_parts(unet, cut):
        replace(made, name, source.get_submodule(name) if source is not None else copy.deepcopy(unet.get_submodule(name)))
    return made


def decoder_parts(unet: Any, cut: int) -> list[str]:
    """Return the names of the modules that have their own weights."""
    output = [name for name in OUTPUT if getattr(unet, name, None) is not None]
    return [f"up_blocks.{i}" for i in range(cut, len(unet.up_blocks))] + output


def decoder_module(decoder: Any, cut: int) -> nn.ModuleList:
    """Return the modules that have their own weights as one module that can be trained."""
    return nn.ModuleList([decoder.get_submodule(name) for name in decoder_parts(decoder, cut)])
