"""A plain reference for feature reuse: every block of every call runs, and hooks replace what the up blocks read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class HeldFeatures:
    """Inside the block, the up blocks from `cut` on read at other steps what they read at the last key step.

    Args:
        pipe: anything with `.unet` and `.scheduler`.
        is_key: says of the number of a UNet call since the last `set_timesteps` whether its step is a key step.
        cut: the first up block that reads held features.
    """

    def __init__(self, pipe: Any, is_key: Callable[[int], bool], cut: int = 0) -> None:
        self.pipe, self.is_key, self.cut = pipe, is_key, cut
        self.calls, self.kept, self.handles = 0, {}, []

    def __enter__(self) -> HeldFeatures:
        self.unet, self.timesteps = self.pipe.unet, None
        self.handles = [self.unet.register_forward_pre_hook(self._count, with_kwargs=True)]
        for index, block in enumerate(self.unet.up_blocks):
            if index >= self.cut:
                self.handles.append(block.register_forward_pre_hook(self._replace(index), with_kwargs=True))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self.handles:
            handle.remove()

    def _count(self, module: torch.nn.Module, args: tuple, kwargs: dict) -> None:
        if self.timesteps is not self.pipe.scheduler.timesteps:
            self.timesteps, self.calls = self.pipe.scheduler.timesteps, 0
        self.key = self.is_key(self.calls)
        self.calls += 1

    def _replace(self, index: int) -> Callable[..., Any]:
        def hook(module: torch.nn.Module, args: tuple, kwargs: dict) -> tuple | None:
            hidden, residuals = kwargs["hidden_states"], kwargs["res_hidden_states_tuple"]
            if self.key:
                self.kept[index] = hidden.clone(), tuple(r if r is None else r.clone() for r in residuals)
                return None
            old, olds = self.kept[index]
            held = tuple(r if r is None else r[-len(hidden) :].clone() for r in olds)
            here = {"hidden_states": old[-len(hidden) :].clone()} if index == self.cut else {}
            return args, kwargs | {"res_hidden_states_tuple": held} | here

        return hook


def every(stride: int) -> Callable[[int], bool]:
    """Every `stride`-th call is a key step."""
    return lambda call: call % stride == 0
