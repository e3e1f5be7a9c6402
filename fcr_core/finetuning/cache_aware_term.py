"""The cache-aware loss term: the error that the cached sampler really makes.

The steps of a group are decoded from the features of its key step. Each should give what the base model predicts, under guidance,
at that step of its own trajectory. So the decoder learns ε along the group, not E[ε | x_key].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from fcr_core.backbones.text_rows import unet_arguments
from fcr_core.caching.batched_call import repeat
from fcr_core.caching.plan import Plan
from fcr_core.sampling.trajectories import DDIMSteps, Trajectories
from fcr_core.unet.split_unet import Features, SplitUNet


@dataclass(frozen=True)
class Groups:
    """B groups of steps on trajectories. Group i lies on trajectory `rows[i]` and starts at step `keys[i]`; both are (B,)."""

    rows: torch.Tensor
    keys: torch.Tensor


class CachedDecoding:
    """Compute guided predictions of whole groups from the features of their key steps, as `EncoderCache` does, and their loss.

    Only whole groups are drawn. Example: with stride 15 in 50 steps, the last group has only five steps and is never drawn.
    `decoder` is a reuse decoder made for the plan's cut.
    """

    def __init__(self, unet: Any, trajectories: Trajectories, ddim: DDIMSteps, plan: Plan, decoder: Any = None) -> None:
        assert plan.keys.stride is not None
        self.unet, self.trajectories, self.ddim, self.device = unet, trajectories, ddim, unet.device
        self.split = SplitUNet(unet, plan.cut, decoder=decoder)
        self.stride, self.linear = plan.keys.stride, plan.reuse == "linear"
        self.nodes = plan.decoded(range(self.stride))

    def draw(self, batch: int, generator: torch.Generator) -> Groups:
        """Draw `batch` groups: a trajectory and a key step, both uniformly."""
        rows = torch.randint(len(self.trajectories.latents), (batch,), generator=generator)
        groups = torch.randint(self.trajectories.steps // self.stride, (batch,), generator=generator)
        return Groups(rows, groups * self.stride)

    def loss(self, groups: Groups, encoder_learns: bool = True) -> torch.Tensor:
        """Return the mean squared error of the guided predictions at all steps of the groups.

        If `encoder_learns` is false, no gradient flows through the key step's pass.
        """
        return (self.predictions(groups, encoder_learns) - self.targets(groups)).square().mean()

    def targets(self, groups: Groups) -> torch.Tensor:
        """Return what the base model predicted at each step of the groups, (stride, B, C, h, w)."""
        x = self.trajectories.latents
        steps = [groups.keys + offset for offset in range(self.stride)]
        wanted = [self.ddim.prediction(x[groups.rows, i], x[groups.rows, i + 1], i) for i in steps]
        return torch.stack(wanted).to(self.device)

    def predictions(self, groups: Groups, encoder_learns: bool = True) -> torch.Tensor:
        """Return the guided predictions at each step of the groups, (stride, B, C, h, w).

        The prediction of a step between two nodes lies on the line between theirs in t.
        """
        text = self.trajectories.texts[groups.rows]
        text = torch.cat([self.trajectories.null_text.expand_as(text), text]).to(self.device)
        with torch.set_grad_enabled(torch.is_grad_enabled() and encoder_learns):
            at_key, features = self._whole(groups.rows, groups.keys, text)
            drift = self._drift(groups, text, features) if self.linear else None
        later = self.nodes[1:]
        read = tuple(repeat(f, len(later)) for f in features)
        if drift is not None:
            ahead = [offset / self.stride for offset in later]
            read = tuple(f + torch.cat([d * share for share in ahead]) for f, d in zip(read, drift, strict=True))
        timesteps = torch.cat([self.ddim.timesteps[groups.keys + offset].repeat(2) for offset in later]).to(self.device)
        sample = at_key.new_zeros(()).expand(len(timesteps), *self.trajectories.latents.shape[2:])
        decoded = self.split.decode(read, sample, timesteps, **unet_arguments(self.unet, repeat(text, len(later))))
        guided = self._guided(torch.cat([at_key[None], decoded.unflatten(0, (len(later), -1))]))
        return torch.tensordot(self._weights().to(guided), guided, 1)

    def _whole(self, rows: torch.Tensor, steps: torch.Tensor, text: torch.Tensor) -> tuple[torch.Tensor, Features]:
        x, t = self.trajectories.latents[rows, steps].to(self.device), self.ddim.timesteps[steps].to(self.device)
        return self.split.whole(torch.cat([x, x]), t.repeat(2), **unet_arguments(self.unet, text))

    def _drift(self, groups: Groups, text: torch.Tensor, features: Features) -> Features:
        """Return how much the features changed since the previous key step.

        The first group of a run has no previous key step, so its change is zero: its features are held.
        """
        _, earlier = self._whole(groups.rows, (groups.keys - self.stride).clamp(min=0), text)
        follows = (groups.keys > 0).repeat(2).view(-1, 1, 1, 1).to(features[0])
        return tuple(follows * (f - e) for f, e in zip(features, earlier, strict=True))

    def _guided(self, predictions: torch.Tensor) -> torch.Tensor:
        """Apply guidance: (steps, 2B, C, h, w), the unconditional half first -> (steps, B, C, h, w)."""
        unconditional, conditional = predictions.chunk(2, dim=1)
        return unconditional + self.trajectories.guidance * (conditional - unconditional)

    def _weights(self) -> torch.Tensor:
        """Return the share of each node in the prediction of each step, (stride, nodes). DDIM's steps are equally long."""
        shares = [np.interp(range(self.stride), self.nodes, node) for node in np.eye(len(self.nodes))]
        return torch.from_numpy(np.stack(shares, 1))
