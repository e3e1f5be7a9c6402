"""The cache-aware term: the loss that the cached sampler really pays.

A group's steps are decoded from its key step's features, and each should give what the base model predicts where its own
trajectory is at that step, under guidance. So the decoder learns ε along the group, not E[ε | x_key].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from fcr_core.caching.batched_call import repeat
from fcr_core.caching.plan import Plan
from fcr_core.sampling.trajectories import DDIMSteps, Trajectories
from fcr_core.unet.split_unet import Features, SplitUNet


@dataclass(frozen=True)
class Groups:
    """Groups on trajectories: B of them, on the trajectories `rows` (B,), from their steps `keys` (B,) on."""

    rows: torch.Tensor
    keys: torch.Tensor


class CachedDecoding:
    """Guided predictions of whole groups from their key steps' features, as `EncoderCache` computes them, and their loss.

    Only whole groups are drawn: of stride 15 in 50 steps not the last, which has five.
    """

    def __init__(self, split: SplitUNet, trajectories: Trajectories, ddim: DDIMSteps, plan: Plan) -> None:
        assert plan.keys.stride is not None
        self.split, self.trajectories, self.ddim, self.device = split, trajectories, ddim, split.device
        self.stride, self.linear = plan.keys.stride, plan.reuse == "linear"
        self.nodes = plan.decoded(range(self.stride))

    def draw(self, batch: int, generator: torch.Generator) -> Groups:
        rows = torch.randint(len(self.trajectories.latents), (batch,), generator=generator)
        groups = torch.randint(self.trajectories.steps // self.stride, (batch,), generator=generator)
        return Groups(rows, groups * self.stride)

    def loss(self, groups: Groups, encoder_learns: bool = True) -> torch.Tensor:
        """Mean squared error of the guided predictions of all steps of the groups.

        Without `encoder_learns` no gradient flows through the key step's pass.
        """
        return (self.predictions(groups, encoder_learns) - self.targets(groups)).square().mean()

    def targets(self, groups: Groups) -> torch.Tensor:
        """What the base model predicted at each step of the groups, (stride, B, C, h, w)."""
        x = self.trajectories.latents
        steps = [groups.keys + offset for offset in range(self.stride)]
        wanted = [self.ddim.prediction(x[groups.rows, i], x[groups.rows, i + 1], i) for i in steps]
        return torch.stack(wanted).to(self.device)

    def predictions(self, groups: Groups, encoder_learns: bool = True) -> torch.Tensor:
        """Guided predictions at each step of the groups, (stride, B, C, h, w); those between nodes lie on the line in t."""
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
        decoded = self.split.decode(read, sample, timesteps, repeat(text, len(later)))
        guided = self._guided(torch.cat([at_key[None], decoded.unflatten(0, (len(later), -1))]))
        return torch.tensordot(self._weights().to(guided), guided, 1)

    def _whole(self, rows: torch.Tensor, steps: torch.Tensor, text: torch.Tensor) -> tuple[torch.Tensor, Features]:
        x, t = self.trajectories.latents[rows, steps].to(self.device), self.ddim.timesteps[steps].to(self.device)
        return self.split.whole(torch.cat([x, x]), t.repeat(2), text)

    def _drift(self, groups: Groups, text: torch.Tensor, features: Features) -> Features:
        """Change of the features since the key step before; none where there was no other, whose group holds."""
        _, earlier = self._whole(groups.rows, (groups.keys - self.stride).clamp(min=0), text)
        follows = (groups.keys > 0).repeat(2).view(-1, 1, 1, 1).to(features[0])
        return tuple(follows * (f - e) for f, e in zip(features, earlier, strict=True))

    def _guided(self, predictions: torch.Tensor) -> torch.Tensor:
        """(steps, 2B, C, h, w), the unconditional half first -> (steps, B, C, h, w)."""
        unconditional, conditional = predictions.chunk(2, dim=1)
        return unconditional + self.trajectories.guidance * (conditional - unconditional)

    def _weights(self) -> torch.Tensor:
        """Share of each node in each step's prediction, (stride, nodes); DDIM's steps are equally long."""
        shares = [np.interp(range(self.stride), self.nodes, node) for node in np.eye(len(self.nodes))]
        return torch.from_numpy(np.stack(shares, 1))
