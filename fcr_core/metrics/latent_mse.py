"""Latent MSE: mean squared difference between the final latents of an image and of its uncached twin."""

from __future__ import annotations

import numpy as np

from fcr_core.metrics.metric import Metric
from fcr_core.metrics.rows import check_pairs

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
    """Compare latents (N, C, h, w) of images, or (N, C, F, h, w) of clips, x 2 -> (N,), in units of their variance (about 1)."""
    check_pairs("latent_mse", latents, twins)
    return ((latents - twins) ** 2).mean(axis=tuple(range(1, latents.ndim)))
