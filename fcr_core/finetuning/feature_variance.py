"""σ²_Δ: how much encoder features change over Δ training timesteps, the mechanism that FCR acts on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from diffusers import DDIMScheduler
from torch import nn
from tqdm import tqdm

from fcr_core.backbones.tasks import beside, conditioning_of
from fcr_core.data.pixels import slices
from fcr_core.unet.encoder_features import Features, capture, encode, features_of, select_blocks

# Of each block, (T, N) for its T tensors and N images: mean squares of differences, and of the features themselves.
Squares = dict[str, tuple[torch.Tensor, torch.Tensor]]
# So that a network of full size on 512 px images fits.
ENCODED_AT_ONCE = 16


@torch.no_grad()
def feature_variance(
    unet: Any,
    scheduler: DDIMScheduler,
    latents: torch.Tensor,
    texts: torch.Tensor,
    deltas: list[int],
    seed: int,
) -> pd.DataFrame:
    """E ‖Enc(x_t) − Enc(x_{t−Δ})‖² of each image and block, x_t and x_{t−Δ} from the same x_0 and ε.

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
    texts = texts.unflatten(0, (count, -1))  # frames of a clip have a text each

    def encoded(part: slice, back: int) -> Features:
        x = beside(scheduler.add_noise(latents[part], noise[part], t[part] - back), channels[part]).to(unet.device)
        return encode(unet, x, (t[part] - back).to(unet.device), texts[part].flatten(0, 1).to(unet.device))

    parts: dict[int, list[Squares]] = {delta: [] for delta in deltas}
    for part in tqdm(slices(count, ENCODED_AT_ONCE), desc="feature variance", unit="batch"):
        features = encoded(part, 0)
        for delta in deltas:
            parts[delta].append(squares(features, encoded(part, delta), part.stop - part.start))
    rows = []
    for delta in deltas:
        for block, (gaps, powers) in joined(parts[delta]).items():
            values = {"mse": gaps.mean(0), "relative": relative(gaps, powers), "norm": powers.mean(0).sqrt()}
            rows.append(pd.DataFrame({"image": range(count), "delta": delta, "block": block, **values}))
    return pd.concat(rows, ignore_index=True)


def mean_over_blocks(variance: pd.DataFrame) -> pd.DataFrame:
    """σ²_Δ of each image as the loss averages it: `image`, `delta`, `mse`, `relative`."""
    return variance.groupby(["delta", "image"], as_index=False, sort=False)[["mse", "relative"]].mean()


def squares(features: Features, earlier: Features, count: int) -> Squares:
    """Mean squared differences and mean squares of each of a block's tensors for `count` images or clips."""
    found = {}
    for name in select_blocks(features):
        gaps = [mean_square(a - b, count) for a, b in zip(features[name], earlier[name], strict=True)]
        powers = [mean_square(a, count) for a in features[name]]
        found[name] = torch.stack(gaps).cpu(), torch.stack(powers).cpu()
    return found


def joined(parts: list[Squares]) -> Squares:
    """One of several, with the images of all."""
    return {name: (torch.cat([p[name][0] for p in parts], 1), torch.cat([p[name][1] for p in parts], 1)) for name in parts[0]}


def relative(gaps: torch.Tensor, powers: torch.Tensor) -> torch.Tensor:
    """(N,) of `Squares`: each tensor's difference by its own mean square over all images; the mean over tensors."""
    return (gaps / powers.mean(1, keepdim=True)).mean(0)


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
            found = squares(features, previous, rows)
            drifts.append(float(torch.stack([relative(*both) for both in found.values()]).mean()))
        previous.update(features)

    with capture(unet) as outputs:
        handle = unet.register_forward_hook(compare)
        try:
            sample()
        finally:
            handle.remove()
    return np.array(drifts)
