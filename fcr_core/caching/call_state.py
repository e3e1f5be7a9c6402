"""What a prediction depends on beside sample, timestep and features, to see whether it has changed between two calls."""

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
    """The parts of a UNet's decoder by which a callback may change it during a run: attention, adapters, gates, FreeU."""

    def __init__(self, unet: Any) -> None:
        self._unet = unet
        parts = list(unet.up_blocks.modules())
        self._attention = [part for part in parts if hasattr(part, "processor")]
        self._adapters = [part for part in parts if isinstance(getattr(part, "scaling", None), dict)]
        self._gates = [part for part in parts if isinstance(getattr(part, "enabled", None), bool)]

    def state(self) -> Iterator[Any]:
        yield list(getattr(self._unet, "peft_config", ()))
        for part in self._attention:
            yield from (part.processor, getattr(part.processor, "scale", None))
        for part in self._adapters:
            yield from (getattr(part, name, None) for name in ADAPTER)
        yield from (part.enabled for part in self._gates)
        yield from ([getattr(block, name, None) for name in FREEU] for block in self._unet.up_blocks)


class CallState:
    """The arguments of a call and the state of the decoder's switches.

    `same(later)` compares them without waiting for a device: tensors by identity and, on a CPU, by value.
    """

    def __init__(self, call: dict[str, Any], switches: Switches) -> None:
        arguments = {name: value for name, value in call.items() if name not in NOT_COMPARED}
        self._leaves = [*leaves(arguments), *leaves(list(switches.state()))]

    def same(self, later: CallState) -> bool:
        here, there = self._leaves, later._leaves
        return len(here) == len(there) and all(map(is_same, here, there))


def leaves(value: Any) -> Iterator[Any]:
    """The values in nested dictionaries and lists, with their keys and lengths."""
    if isinstance(value, dict):
        yield tuple(value)
        for part in value.values():
            yield from leaves(part)
    elif isinstance(value, list | tuple):
        yield len(value)
        for part in value:
            yield from leaves(part)
    elif isinstance(value, torch.Tensor):
        yield Seen(value, version_of(value))
    else:
        yield value


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    return (leaf.tensor for leaf in leaves(value) if isinstance(leaf, Seen))


def version_of(tensor: torch.Tensor) -> int | None:
    return None if tensor.is_inference() else tensor._version


def is_same(before: Any, now: Any) -> bool:
    if isinstance(before, Seen) and isinstance(now, Seen):
        if before.tensor is now.tensor:
            return before.version == now.version
        return before.version == version_of(before.tensor) and equal_on_cpu(before.tensor, now.tensor)
    return before is now or (isinstance(before, COMPARED) and type(before) is type(now) and before == now)


def equal_on_cpu(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Return True if both tensors are on a CPU and equal. Elsewhere a comparison would wait for the device."""
    return a.device.type == b.device.type == "cpu" and a.dtype == b.dtype and torch.equal(a, b)
