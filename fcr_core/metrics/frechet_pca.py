"""Fréchet distance of EfficientNet-lite0 features after PCA to 64 dimensions.

In the raw 1280 dimensions the value at a few hundred images is mostly bias (two halves of one set: 258; two styles: 414), so
it is not comparable with FID and does not carry its name.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh

NAME = "frechet_pca64_effnet"
INPUT = "pool"
DIMENSIONS = 64


def principal_axes(reference: np.ndarray, dimensions: int) -> np.ndarray:
    """The first principal axes (d, dimensions) of the rows of `reference`; fewer if it has too few rows."""
    centred = reference - reference.mean(0)
    return np.linalg.svd(centred, full_matrices=False)[2][:dimensions].T


def frechet_distance(x: np.ndarray, y: np.ndarray) -> float:
    """‖μ_x − μ_y‖² + tr(Σ_x + Σ_y − 2 (Σ_y^½ Σ_x Σ_y^½)^½) of rows of x (n, d) and y (m, d) (Dowson & Landau, 1982)."""
    mean_gap = x.mean(0) - y.mean(0)
    cov_x, cov_y = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    values, vectors = eigh(cov_y)
    root_y = vectors * np.sqrt(values.clip(0)) @ vectors.T
    cross = np.sqrt(eigh(root_y @ cov_x @ root_y, eigvals_only=True).clip(0)).sum()
    return float(mean_gap @ mean_gap + np.trace(cov_x) + np.trace(cov_y) - 2 * cross)


def of_set(features: np.ndarray, reference: np.ndarray) -> float:
    """Distance of `features` (n, 1280) to `reference` (m, 1280) in the principal axes of the reference."""
    x, y = features.astype(np.float64), reference.astype(np.float64)
    axes = principal_axes(y, DIMENSIONS)
    return frechet_distance(x @ axes, y @ axes)
