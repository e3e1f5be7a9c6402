"""σ²_Δ: how much encoder features change over Δ training timesteps, the mechanism that FCR acts on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from diffusers import DDIMScheduler
from torch import nn

from fcr_core.encoder import Features, capture, consistency_blocks, encode, tensors_of


@torch.no_grad()
def feature_variance(
    unet: nn.Module,
    scheduler: DDIMScheduler,
    latents: torch.Tensor,
    texts: torch.Tensor,
    deltas: list[int],
    seed: int,
) -> pd.DataFrame:
    """E ‖Enc(x_t) − Enc(x_{t−Δ})‖² of each image, x_t and x_{t−Δ} from the same x_0 and ε (DESIGN §1).

    `latents` (N, C, h, w) and `texts` (N, L, D). One (t, ε) an image, the same for every Δ and model: t is stratified over
    (Δ_max, T). Rows: `image`, `delta`, `mse` (the formula), `relative` (each tensor's part divided by its mean square).
    """
    generator = torch.Generator().manual_seed(seed)
    count, longest = len(latents), max(deltas)
    strata = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    t = longest + (strata * (scheduler.config.num_train_timesteps - longest)).long()
    noise = torch.randn(latents.shape, generator=generator)
    features = encode(unet, scheduler.add_noise(latents, noise, t), t, texts)
    rows = []
    for delta in deltas:
        earlier = encode(unet, scheduler.add_noise(latents, noise, t - delta), t - delta, texts)
        mse, relative = per_image_distances(features, earlier)
        rows.append(pd.DataFrame({"image": range(count), "delta": delta, "mse": mse, "relative": relative}))
    return pd.concat(rows, ignore_index=True)


def per_image_distances(features: Features, earlier: Features) -> tuple[torch.Tensor, torch.Tensor]:
    """Raw and relative mean squared difference of each image (N,), averaged as in the loss: over tensors, then over blocks."""
    raw, scaled = [], []
    for name in consistency_blocks(features):
        pairs = list(zip(tensors_of(features[name]), tensors_of(earlier[name]), strict=True))
        gaps = [(a - b).square().flatten(1).mean(1) for a, b in pairs]
        powers = [a.square().mean() for a, _ in pairs]
        raw.append(torch.stack(gaps).mean(0))
        scaled.append(torch.stack([gap / power for gap, power in zip(gaps, powers, strict=True)]).mean(0))
    return torch.stack(raw).mean(0), torch.stack(scaled).mean(0)


@torch.no_grad()
def feature_drift(unet: nn.Module, sample: Callable[[], Any]) -> np.ndarray:
    """Relative change of the encoder features from each UNet call of `sample()` to the next, (calls − 1,), mean over images.

    Of one uncached run it is what `KeySteps.calibrated` places key steps by.
    """
    drifts: list[float] = []
    previous: Features = {}

    def compare(*_: Any) -> None:
        if previous:
            drifts.append(float(per_image_distances(features, previous)[1].mean()))
        previous.update(features)

    with capture(unet) as features:
        handle = unet.register_forward_hook(compare)
        try:
            sample()
        finally:
            handle.remove()
    return np.array(drifts)
