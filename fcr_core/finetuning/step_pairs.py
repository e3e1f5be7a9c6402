"""Draw the two steps that the FCR loss compares: (t, t − Δ) at any t, or a key step and a step of its group."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def draw_time_pairs(
    batch: int, deltas: Sequence[int], num_train_timesteps: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw Δ uniformly from `deltas` and t ~ U{Δ..T-1}. Return (t, t − Δ), each (batch,), with 0 <= t − Δ < t < T.

    Δ counts training timesteps. One step of a 50-step sampler spans 20 of them, and a stride of 10 spans 200. `plan_deltas` gives
    the plan's Δ, `group_deltas` those of the sampler's groups. Only Δ from 1 to T - 1 have pairs; others are not drawn. Raises
    `ValueError` if there are no such.
    """
    fitting = [delta for delta in deltas if 1 <= delta < num_train_timesteps]
    if not fitting:
        raise ValueError(f"Δ = {list(deltas)[:5]}: must be 1 to {num_train_timesteps - 1}, within the training timesteps")
    delta = torch.as_tensor(fitting)[torch.randint(len(fitting), (batch,), generator=generator)]
    uniform = torch.rand(batch, generator=generator)
    t = delta + (uniform * (num_train_timesteps - delta)).long()
    return t, t - delta


def plan_deltas(max_delta: int, num_train_timesteps: int) -> range:
    """Return the Δ of the plan, 1 to Δ_max. Raises `ValueError` for a Δ_max that the noise schedule does not reach."""
    if not 1 <= max_delta < num_train_timesteps:
        raise ValueError(f"max_delta = {max_delta}: must be 1 to {num_train_timesteps - 1}, within the training timesteps")
    return range(1, max_delta + 1)


def group_deltas(stride: int, steps: int, num_train_timesteps: int) -> range:
    """Return how far the steps of a group are from their key step, in training timesteps.

    >>> list(group_deltas(5, 50, 1000))
    [20, 40, 60, 80]

    Raises `ValueError` unless 2 <= stride <= steps <= T.
    """
    if not 2 <= stride <= steps <= num_train_timesteps:
        asked = f"stride {stride} of {steps} steps and {num_train_timesteps} training timesteps"
        raise ValueError(f"{asked}: groups need 2 <= stride <= steps <= training timesteps")
    span = num_train_timesteps // steps
    return range(span, stride * span, span)


def draw_group_pairs(batch: int, stride: int, steps: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw a key step of a `steps`-step sampler and another step of its group, uniformly over all such pairs.

    Both are (batch,) indices into the sampler's timesteps. Raises `ValueError` unless 2 <= stride <= steps.
    """
    if not 2 <= stride <= steps:
        raise ValueError(f"stride = {stride}: must be 2 to the sampling steps, {steps}: else no group has two steps")
    pairs = [(key, step) for key in range(0, steps, stride) for step in range(key + 1, min(key + stride, steps))]
    drawn = torch.tensor(pairs)[torch.randint(len(pairs), (batch,), generator=generator)]
    return drawn[:, 0], drawn[:, 1]
