"""The Feature Consistency Regularization loss: encoder features of x_t and x_{t-Δ} should not differ.

L = L_denoise + λ · E_{t,Δ} ‖Enc(x_t) − Enc(x_{t−Δ})‖²,   t ~ U(Δ, T),  Δ ~ U(1, Δ_max),  same x_0 and ε
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from fcr_core.unet.encoder_features import Features, encode, select_blocks

Distance = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
STOP_GRAD = (None, "key", "reuse")


def mse(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Mean squared difference over all elements: the formula of the plan."""
    return (a - b).square().mean()


def relative(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """`mse` over the detached mean square of `a`: layers of any scale weigh the same, and shrinking them all gains nothing."""
    return mse(a, b) / a.detach().square().mean()


def cosine(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """1 − the cosine of the channels' angle, mean over samples and positions: 0 for parallel features whatever their norms."""
    return 1 - F.cosine_similarity(a, b, dim=1).mean()


DISTANCES: dict[str, Distance] = {"mse": mse, "relative": relative, "cosine": cosine}


def feature_distance(
    features: Features, features2: Features, distance: str = "mse", blocks: Sequence[str] = ()
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Distance of two encoder passes: mean over blocks, each the mean over the tensors that the decoder reads.

    Returns the scalar and the detached distance of each block. Raises `ValueError` for an unknown distance or block.
    """
    if distance not in DISTANCES:
        raise ValueError(f"unknown distance {distance!r}: expected one of {sorted(DISTANCES)}")
    per_block = {}
    for name in select_blocks(features, tuple(blocks)):
        pairs = zip(features[name], features2[name], strict=True)
        per_block[name] = torch.stack([DISTANCES[distance](a, b) for a, b in pairs]).mean()
    loss = torch.stack(list(per_block.values())).mean()
    return loss, {name: value.detach() for name, value in per_block.items()}


def feature_norms(features: Features) -> dict[str, torch.Tensor]:
    """Root mean square of each block's features: consistency by shrinking them would show here."""
    powers = {name: torch.stack([x.detach().square().mean() for x in tensors]) for name, tensors in features.items()}
    return {name: power.mean().sqrt() for name, power in powers.items()}


def feature_consistency_loss(
    unet: nn.Module,
    x_t: torch.Tensor,
    t: torch.Tensor,
    x_t2: torch.Tensor,
    t2: torch.Tensor,
    encoder_hidden_states: torch.Tensor,
    blocks: Sequence[str] = (),
    distance: str = "mse",
    stop_grad: str | None = None,
    cut: int = 0,
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """E ‖Enc(x_t) − Enc(x_t2)‖² for latents (B, C, h, w) at integer timesteps t and t2 (B,); two encoder passes, no decoder.

    `x_t` is the key step's sample, whose features would be cached, `x_t2` that of a step which reuses them. `blocks` are names
    or groups (`select_blocks`), by default all but `conv_in`. `stop_grad` says through which pass no
    gradient flows, `None` through both. With `cut` the features are what the sampler caches at that cut.

    >>> loss, per_block = feature_consistency_loss(unet, x_t, t, x_t2, t - 10, text)      # doctest: +SKIP
    """
    if stop_grad not in STOP_GRAD:
        raise ValueError(f"unknown stop_grad {stop_grad!r}: expected one of {STOP_GRAD}")
    with torch.set_grad_enabled(torch.is_grad_enabled() and stop_grad != "key"):
        key = encode(unet, x_t, t, encoder_hidden_states, cut=cut)
    with torch.set_grad_enabled(torch.is_grad_enabled() and stop_grad != "reuse"):
        reuse = encode(unet, x_t2, t2, encoder_hidden_states, cut=cut)
    return feature_distance(key, reuse, distance, blocks)
