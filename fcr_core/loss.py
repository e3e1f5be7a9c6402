"""The Feature Consistency Regularization loss: encoder features of x_t and x_{t-Δ} should not differ.

L = L_denoise + λ · E_{t,Δ} ‖Enc(x_t) − Enc(x_{t−Δ})‖²,   t ~ U(Δ, T),  Δ ~ U(1, Δ_max),  same x_0 and ε      (DESIGN §1)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from fcr_core.encoder import Features, consistency_blocks, encode, tensors_of

Distance = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def mse(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Mean squared difference over all elements: the formula of the plan."""
    return (a - b).square().mean()


def relative(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """`mse` over the detached mean square of `a`: layers of any scale weigh the same, and shrinking them all gains nothing."""
    return mse(a, b) / a.detach().square().mean()


DISTANCES: dict[str, Distance] = {"mse": mse, "relative": relative}


def feature_distance(
    features: Features, features2: Features, distance: str = "mse", blocks: Sequence[str] | None = None
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Distance of two encoder passes: mean over blocks, each the mean over the tensors that the decoder reads.

    Returns the scalar and the detached distance of each block. Raises `ValueError` for an unknown distance or block.
    """
    if distance not in DISTANCES:
        raise ValueError(f"unknown distance {distance!r}: expected one of {sorted(DISTANCES)}")
    names = consistency_blocks(features) if blocks is None else list(blocks)
    if unknown := [name for name in names if name not in features]:
        raise ValueError(f"unknown blocks {unknown}: this UNet has {list(features)}")
    per_block = {}
    for name in names:
        pairs = zip(tensors_of(features[name]), tensors_of(features2[name]), strict=True)
        per_block[name] = torch.stack([DISTANCES[distance](a, b) for a, b in pairs]).mean()
    loss = torch.stack(list(per_block.values())).mean()
    return loss, {name: value.detach() for name, value in per_block.items()}


def feature_consistency_loss(
    unet: nn.Module,
    x_t: torch.Tensor,
    t: torch.Tensor,
    x_t2: torch.Tensor,
    t2: torch.Tensor,
    encoder_hidden_states: torch.Tensor,
    blocks: Sequence[str] | None = None,
    distance: str = "mse",
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """E ‖Enc(x_t) − Enc(x_t2)‖² for latents (B, C, h, w) at integer timesteps t and t2 (B,); two encoder passes, no decoder.

    `blocks` are names from `encoder_blocks(unet)`; the default is all but `conv_in`. Gradients flow through both passes.

    >>> loss, per_block = feature_consistency_loss(unet, x_t, t, x_t2, t - 10, text)      # doctest: +SKIP
    """
    first = encode(unet, x_t, t, encoder_hidden_states)
    second = encode(unet, x_t2, t2, encoder_hidden_states)
    return feature_distance(first, second, distance, blocks)


def draw_time_pairs(
    batch: int, max_delta: int, num_train_timesteps: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Δ ~ U{1..max_delta}, t ~ U{Δ..T-1}; returns (t, t − Δ), each (batch,), 0 <= t − Δ < t < T.

    Δ counts training timesteps: one step of a 50-step sampler spans 20 of them, a stride of 10 spans 200.
    """
    delta = torch.randint(1, max_delta + 1, (batch,), generator=generator)
    uniform = torch.rand(batch, generator=generator)
    t = delta + (uniform * (num_train_timesteps - delta)).long()
    return t, t - delta
