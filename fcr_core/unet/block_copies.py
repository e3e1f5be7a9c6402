"""Copy a module so that some of its blocks behave differently. The copy shares its parameters; the module never changes."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from torch import nn

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def shallow_copy(module: nn.Module) -> nn.Module:
    """Return a copy of `module` with the same parameters and the same children.

    The copy has its own list of children. It has no hooks and no patched `forward`.
    """
    made = copy.copy(module)
    vars(made).pop("forward", None)
    vars(made)["_modules"] = dict(module._modules)
    vars(made).update({name: OrderedDict() for name in HOOKS})
    return made


def stand_in(block: nn.Module, forward: Callable[..., Any]) -> nn.Module:
    """Return a copy of `block` with another `forward`.

    The copy keeps the block's attributes, because the forward of a UNet reads them.
    """
    made = shallow_copy(block)
    made.__class__ = type(type(block).__name__, (type(block),), {"forward": staticmethod(forward)})
    return made


def replace(unet: nn.Module, name: str, block: nn.Module) -> None:
    """Put `block` at `name` ("mid_block", "up_blocks.1") of a shallow copy of a UNet.

    A list of blocks is copied before it is changed, so the original UNet keeps its own list.
    """
    owner, _, index = name.partition(".")
    if index:
        blocks = list(getattr(unet, owner))
        blocks[int(index)] = block
        setattr(unet, owner, nn.ModuleList(blocks))
    else:
        setattr(unet, owner, block)
