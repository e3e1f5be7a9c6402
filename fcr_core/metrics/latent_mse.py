"""Mean squared difference of final latents between a variation and its uncached twin, image by image."""

from __future__ import annotations

import numpy as np

from fcr_core.metrics.metric import Metric

METRIC = Metric(
    key="latent_mse",
    title="latent MSE",
    direction="lower",
    unit="latent variance",
    range=(0, float("inf")),
    needs="latents",
    source="mean squared error",
    digits=4,
)


def per_image(latents: np.ndarray, twins: np.ndarray) -> np.ndarray:
    """(N, C, h, w) of images, or (N, C, F, h, w) of clips, x 2 -> (N,), in units of the latents' variance (about 1)."""
    return ((latents - twins) ** 2).mean(axis=tuple(range(1, latents.ndim)))
