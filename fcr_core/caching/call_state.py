"""The conditions of a prediction beside sample, timestep and features, compared between two calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

# What a call may change from step to step without an effect on what is decoded from given features.
NOT_COMPARED = (
    "sample",
    "timestep",
    "down_block_additional_residuals",
    "mid_block_additional_residual",
    "down_intrablock_additional_residuals",
)
ADAPTER = ("scaling", "active_adapters", "disable_adapters", "merged_adapters")
FREEU = ("s1", "s2", "b1", "b2")
COMPARED = (tuple, str, int, float, bool, type(None))


class Seen(NamedTuple):
    """A tensor as it was: `version` counts its changes in place, as far as PyTorch does."""

    tensor: torch.Tensor
    version: int | None


class Switches:
    """The parts of a UNet's decoder by which a callback may change it during a run: attention, adapters, gates, FreeU.

    They are asked at every step, so they are looked up in `vars`: a module takes microseconds to say that it has no attribute.
    """

    def __init__(self, unet: Any) -> None:
        self.parts = list(unet.up_blocks.modules())
        self._unet, self._blocks = vars(unet), [vars(block) for block in unet.up_blocks]
        self.attention = [part for part in self.parts if "processor" in vars(part) or "processor" in part._modules]
        self._adapters = [part for part in self.parts if isinstance(vars(part).get("scaling"), dict)]
        self._gates = [part for part in self.parts if isinstance(vars(part).get("enabled"), bool)]

    def state(self) -> list[Any]:
        """The switches as they are, as flat as can be."""
        leaves = [part.processor for part in self.attention]
        leaves += [block.get(name) for block in self._blocks for name in FREEU]
        leaves += [part.enabled for part in self._gates]
        scales = [scale for part in self.attention if (scale := getattr(part.processor, "scale", None)) is not None]
        adapters = [getattr(part, name, None) for part in self._adapters for name in ADAPTER]
        for value in (scales, adapters, list(self._unet.get("peft_config", ()))):
            if value:
                add_leaves(value, leaves)
        return leaves


class CallState:
    """The arguments of a call and the state of the decoder's switches.

    `same(later)` compares them without waiting for a device: tensors by identity and, on a CPU, by value.
    """

    def __init__(self, call: dict[str, Any], switches: Switches) -> None:
        self._leaves = switches.state()
        for name, value in call.items():
            if name not in NOT_COMPARED:
                self._leaves.append(name)
                add_leaves(value, self._leaves)

    def same(self, later: CallState) -> bool:
        here, there = self._leaves, later._leaves
        return len(here) == len(there) and all(map(is_same, here, there))


def add_leaves(value: Any, leaves: list[Any]) -> None:
    """Append the values in nested dictionaries and lists, with their keys and lengths."""
    if isinstance(value, torch.Tensor):
        leaves.append(Seen(value, version_of(value)))
    elif isinstance(value, dict):
        leaves.append(tuple(value))
        for part in value.values():
            add_leaves(part, leaves)
    elif isinstance(value, (list, tuple)):
        leaves.append(len(value))
        for part in value:
            add_leaves(part, leaves)
    else:
        leaves.append(value)


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    leaves: list[Any] = []
    add_leaves(value, leaves)
    return (leaf.tensor for leaf in leaves if isinstance(leaf, Seen))


def version_of(tensor: torch.Tensor) -> int | None:
    return None if tensor.is_inference() else tensor._version


def is_same(before: Any, now: Any) -> bool:
    if before is now:
        return True
    if isinstance(before, Seen) and isinstance(now, Seen):
        if before.tensor is now.tensor:
            return before.version == now.version
        return before.version == version_of(before.tensor) and equal_on_cpu(before.tensor, now.tensor)
    return isinstance(before, COMPARED) and type(before) is type(now) and before == now


def equal_on_cpu(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Return True if both tensors are on a CPU and equal. Elsewhere a comparison would wait for the device."""
    return a.device.type == b.device.type == "cpu" and a.dtype == b.dtype and torch.equal(a, b)
