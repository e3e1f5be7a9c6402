"""Copies of a module that share its parameters and differ in what some of their blocks do; the module itself is not touched."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from torch import nn

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def shallow_copy(module: nn.Module) -> nn.Module:
    """A module with the same parameters and children, but lists of its own, without hooks or a patched `forward`."""
    made = copy.copy(module)
    vars(made).pop("forward", None)
    vars(made)["_modules"] = dict(module._modules)
    vars(made).update({name: OrderedDict() for name in HOOKS})
    return made


def stand_in(block: nn.Module, forward: Callable[..., Any]) -> nn.Module:
    """A module with the block's attributes, which a UNet's forward looks at, and another `forward`."""
    made = shallow_copy(block)
    made.__class__ = type(type(block).__name__, (type(block),), {"forward": staticmethod(forward)})
    return made


def replace(unet: nn.Module, name: str, block: nn.Module) -> None:
    """Put `block` at `name` ("mid_block", "up_blocks.1") of a shallow copy, its lists copied, never shared."""
    owner, _, index = name.partition(".")
    if index:
        blocks = list(getattr(unet, owner))
        blocks[int(index)] = block
        setattr(unet, owner, nn.ModuleList(blocks))
    else:
        setattr(unet, owner, block)
