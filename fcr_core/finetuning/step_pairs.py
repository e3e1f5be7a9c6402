"""Draw the two steps that the FCR loss compares: (t, t − Δ) at any t, or a key step and a step of its group."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def draw_time_pairs(
    batch: int, deltas: Sequence[int], num_train_timesteps: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw Δ uniformly from `deltas` and t ~ U{Δ..T-1}. Return (t, t − Δ), each (batch,), with 0 <= t − Δ < t < T.

    Δ counts training timesteps. One step of a 50-step sampler spans 20 of them, and a stride of 10 spans 200. The plan's Δ is
    range(1, Δ_max + 1). `group_deltas` gives the Δ of the sampler's groups.
    """
    delta = torch.as_tensor(deltas)[torch.randint(len(deltas), (batch,), generator=generator)]
    uniform = torch.rand(batch, generator=generator)
    t = delta + (uniform * (num_train_timesteps - delta)).long()
    return t, t - delta


def group_deltas(stride: int, steps: int, num_train_timesteps: int) -> range:
    """Return how far the steps of a group are from their key step, in training timesteps.

    >>> list(group_deltas(5, 50, 1000))
    [20, 40, 60, 80]
    """
    span = num_train_timesteps // steps
    return range(span, stride * span, span)


def draw_group_pairs(batch: int, stride: int, steps: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw a key step of a `steps`-step sampler and another step of its group, uniformly over all such pairs.

    Both are (batch,) indices into the sampler's timesteps.
    """
    pairs = [(key, step) for key in range(0, steps, stride) for step in range(key + 1, min(key + stride, steps))]
    drawn = torch.tensor(pairs)[torch.randint(len(pairs), (batch,), generator=generator)]
    return drawn[:, 0], drawn[:, 1]
