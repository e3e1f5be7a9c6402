"""σ²_Δ: how much encoder features change over Δ training timesteps, the mechanism that FCR acts on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from diffusers import DDIMScheduler
from torch import nn

from fcr_core.conditioning import beside, conditioning_of
from fcr_core.encoder import Features, capture, encode, features_of, select_blocks


@torch.no_grad()
def feature_variance(
    unet: nn.Module,
    scheduler: DDIMScheduler,
    latents: torch.Tensor,
    texts: torch.Tensor,
    deltas: list[int],
    seed: int,
) -> pd.DataFrame:
    """E ‖Enc(x_t) − Enc(x_{t−Δ})‖² of each image and block, x_t and x_{t−Δ} from the same x_0 and ε (DESIGN §1).

    `latents` (N, C, h, w), with the task's channels behind them, and `texts` (N, L, D). One (t, ε) an image, the same for every
    Δ and model: t is stratified over (Δ_max, T). Rows: `image`, `delta`, `block`, `mse` (the formula), `relative` (each
    tensor's part divided by its mean square), `norm` (root mean square of the block's features at t).
    """
    generator = torch.Generator().manual_seed(seed)
    latents, channels, texts = conditioning_of(unet).training_inputs(unet, latents, texts)
    count, longest = len(latents), max(deltas)
    strata = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    t = longest + (strata * (scheduler.config.num_train_timesteps - longest)).long()
    noise = torch.randn(latents.shape, generator=generator)
    features = encode(unet, beside(scheduler.add_noise(latents, noise, t), channels), t, texts)
    rows = []
    for delta in deltas:
        earlier = encode(unet, beside(scheduler.add_noise(latents, noise, t - delta), channels), t - delta, texts)
        for block, (mse, relative) in per_image_distances(features, earlier, count).items():
            norm = torch.stack([mean_square(x, count) for x in features[block]]).mean(0).sqrt()
            values = {"block": block, "mse": mse, "relative": relative, "norm": norm}
            rows.append(pd.DataFrame({"image": range(count), "delta": delta, **values}))
    return pd.concat(rows, ignore_index=True)


def mean_over_blocks(variance: pd.DataFrame) -> pd.DataFrame:
    """σ²_Δ of each image as the loss averages it: `image`, `delta`, `mse`, `relative`."""
    return variance.groupby(["delta", "image"], as_index=False, sort=False)[["mse", "relative"]].mean()


def per_image_distances(features: Features, earlier: Features, count: int) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Raw and relative mean squared difference of each of `count` images or clips, (N,), (N,), by block.

    Averaged over the block's tensors as in the loss.
    """
    distances = {}
    for name in select_blocks(features):
        pairs = list(zip(features[name], earlier[name], strict=True))
        gaps = [mean_square(a - b, count) for a, b in pairs]
        scaled = [gap / a.square().mean() for gap, (a, _) in zip(gaps, pairs, strict=True)]
        distances[name] = torch.stack(gaps).mean(0), torch.stack(scaled).mean(0)
    return distances


def mean_square(x: torch.Tensor, count: int) -> torch.Tensor:
    """(N,) of features (N, C, h, w), or (N * F, C, h, w) with the frames of clips folded in."""
    return x.square().reshape(count, -1).mean(1)


@torch.no_grad()
def feature_drift(unet: nn.Module, sample: Callable[[], Any]) -> np.ndarray:
    """Relative change of the encoder features from each UNet call of `sample()` to the next, (calls − 1,), mean over images.

    Of one uncached run it is what `KeySteps.calibrated` places key steps by.
    """
    drifts: list[float] = []
    previous: Features = {}

    def compare(*_: Any) -> None:
        features = features_of(unet, outputs)
        if previous:
            rows = len(features["mid"][0])
            relative = [relative for _, relative in per_image_distances(features, previous, rows).values()]
            drifts.append(float(torch.stack(relative).mean()))
        previous.update(features)

    with capture(unet) as outputs:
        handle = unet.register_forward_hook(compare)
        try:
            sample()
        finally:
            handle.remove()
    return np.array(drifts)
