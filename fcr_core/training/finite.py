"""Find numbers that are not finite before a step spoils weights, or a checkpoint keeps them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch.nn.utils import get_total_norm

# What is looked at in each step beside the loss.
GRADIENTS, WEIGHTS = "the norm of the gradients", "the largest of the parameters"


def largest(tensors: Iterable[torch.Tensor]) -> torch.Tensor:
    """Return the largest absolute value of tensors, a scalar where they are: NaN or infinite if any value is.

    It reads each tensor once, makes no copy, and does not wait for the device.
    """
    return get_total_norm([tensor for tensor in tensors if tensor.is_floating_point() and tensor.numel()], math.inf)


def not_finite(values: Mapping[str, float]) -> str:
    """Return what the first value is that is not finite; "" if all are.

    >>> not_finite({"the loss": 0.5, "the norm of the gradients": float("nan")})
    'the norm of the gradients is nan'
    """
    return next((f"{name} is {value:.4g}" for name, value in values.items() if not math.isfinite(value)), "")


def spoilt_parts(state: Mapping[str, Any]) -> list[str]:
    """Return the names of those parts of a checkpoint that hold tensors with values that are not finite."""
    return [name for name, part in state.items() if not largest(tensors_in(part)).isfinite()]


def tensors_in(part: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors in nested dictionaries and lists."""
    if isinstance(part, torch.Tensor):
        yield part
    elif isinstance(part, Mapping | list | tuple):
        for inner in part.values() if isinstance(part, Mapping) else part:
            yield from tensors_in(inner)
