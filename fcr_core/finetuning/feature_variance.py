"""Measure σ²_Δ: how much encoder features change over Δ training timesteps. FCR acts on this change."""

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
from fcr_core.backbones.text_rows import unet_arguments
from fcr_core.data.pixels import slices
from fcr_core.unet.encoder_features import Features, capture, encode, features_of, select_blocks
from fcr_core.unet.plain_unet import plain_unet

# For each block: mean squares of the differences, then of the features; both (T, N) for its T tensors and N images.
Squares = dict[str, tuple[torch.Tensor, torch.Tensor]]
# Images encoded at once: a network of full size on 512 px images must fit into memory.
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
    """Return E ‖Enc(x_t) − Enc(x_{t−Δ})‖² of each image and block. x_t and x_{t−Δ} come from the same x_0 and ε.

    `latents` (N, C, h, w) include the channels of the task after their own. `texts` are (N, L, D). Each image has one (t, ε), the
    same for every Δ and model. t is stratified over (Δ_max, T).

    Columns: `image`, `delta`, `block`, `mse` (the formula), `relative` (each tensor's part divided by its mean square), `norm`
    (root mean square of the block's features at t). Raises `ValueError` for a Δ that the noise schedule does not reach.
    """
    generator = torch.Generator().manual_seed(seed)
    latents, channels, texts = conditioning_of(unet).training_inputs(unet, latents, texts)
    count, longest, times = len(latents), max(deltas), scheduler.config.num_train_timesteps
    if not 1 <= min(deltas) <= longest < times:
        raise ValueError(f"Δ = {deltas}: must be 1 to {times - 1}, within the training timesteps")
    strata = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    t = longest + (strata * (times - longest)).long()
    noise = torch.randn(latents.shape, generator=generator)
    texts = texts.unflatten(0, (count, -1))  # each frame of a clip has its own text

    def encoded(part: slice, back: int) -> Features:
        x = beside(scheduler.add_noise(latents[part], noise[part], t[part] - back), channels[part]).to(unet.device)
        text = texts[part].flatten(0, 1).to(unet.device)
        return encode(unet, x, (t[part] - back).to(unet.device), **unet_arguments(unet, text))

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
    """Return σ²_Δ of each image, averaged over blocks as the loss does. Columns: `image`, `delta`, `mse`, `relative`."""
    return variance.groupby(["delta", "image"], as_index=False, sort=False)[["mse", "relative"]].mean()


def squares(features: Features, earlier: Features, count: int) -> Squares:
    """Return the mean squared differences and mean squares of each block's tensors, for `count` images or clips."""
    found = {}
    for name in select_blocks(features):
        gaps = [mean_square(a - b, count) for a, b in zip(features[name], earlier[name], strict=True)]
        powers = [mean_square(a, count) for a in features[name]]
        found[name] = torch.stack(gaps).cpu(), torch.stack(powers).cpu()
    return found


def joined(parts: list[Squares]) -> Squares:
    """Join several parts into one that has the images of all."""
    return {name: (torch.cat([p[name][0] for p in parts], 1), torch.cat([p[name][1] for p in parts], 1)) for name in parts[0]}


def relative(gaps: torch.Tensor, powers: torch.Tensor) -> torch.Tensor:
    """Divide each tensor's difference by the tensor's own mean square over all images; return the mean over tensors, (N,)."""
    return (gaps / powers.mean(1, keepdim=True)).mean(0)


def mean_square(x: torch.Tensor, count: int) -> torch.Tensor:
    """Return (N,) mean squares of features (N, C, h, w), or of (N * F, C, h, w) with the frames of clips folded in."""
    return x.square().reshape(count, -1).mean(1)


@torch.no_grad()
def feature_drift(unet: nn.Module, sample: Callable[[], Any]) -> np.ndarray:
    """Return the relative change of the encoder features from each UNet call of `sample()` to the next, (calls − 1,).

    It is the mean over images. `KeySteps.calibrated` places key steps by the drift of one uncached run. A compiled UNet runs
    uncompiled meanwhile.
    """
    plain = plain_unet(unet)
    drifts: list[float] = []
    previous: Features = {}

    def compare(*_: Any) -> None:
        features = features_of(plain, outputs)
        if previous:
            rows = len(next(iter(features.values()))[0])
            found = squares(features, previous, rows)
            drifts.append(float(torch.stack([relative(*both) for both in found.values()]).mean()))
        previous.update(features)

    with capture(plain) as outputs, torch.compiler.set_stance("force_eager"):
        handle = plain.register_forward_hook(compare)
        try:
            sample()
        finally:
            handle.remove()
    return np.array(drifts)
