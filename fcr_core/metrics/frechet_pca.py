"""Fréchet distance after PCA to 64 dimensions, for sets of a few hundred images.

In the raw 1280 dimensions of EfficientNet-lite0 the value at a few hundred images is mostly bias (two halves of one set: 258;
two styles: 414). The value is not comparable with FID and does not carry its name.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fcr_core.metrics import frechet
from fcr_core.metrics.frechet import moments_flops
from fcr_core.metrics.metric import Metric
from fcr_core.metrics.rows import check_rows

DIMENSIONS = 64
METRIC = Metric(
    key="frechet_pca64",
    title="Fréchet PCA-64",
    direction="lower",
    unit="squared feature units",
    range=(0, float("inf")),
    needs="pool",
    source="Dowson & Landau, 1982",
    digits=1,
    role="Fréchet distance",
)


def principal_axes(reference: np.ndarray, dimensions: int) -> np.ndarray:
    """Find the first principal axes (d, dimensions) of the rows of `reference`; fewer if it has too few rows."""
    centred = reference - reference.mean(0)
    return np.linalg.svd(centred, full_matrices=False)[2][:dimensions].T


def projected(features: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Project both sets on the principal axes of the reference, in float64.

    Raises `ValueError` for fewer than two rows of either set, and for rows that are not finite.
    """
    check_rows("frechet_pca", 2, features=features, reference=reference)
    x, y = features.astype(np.float64), reference.astype(np.float64)
    axes = principal_axes(y, DIMENSIONS)
    return x @ axes, y @ axes


def of_set(features: np.ndarray, reference: np.ndarray) -> float:
    """Compute the distance of `features` (n, d) to `reference` (m, d) in the principal axes of the reference."""
    return frechet.of_set(*projected(features, reference))


def left_out(features: np.ndarray, reference: np.ndarray, groups: np.ndarray) -> Iterator[float]:
    """Compute the distance of all rows, then without each group, as `frechet.left_out` does."""
    return frechet.left_out(*projected(features, reference), groups)


def set_flops(images: int, real: int, width: int, replicates: int = 1) -> float:
    """Count FLOPs of the projection; what follows in 64 dimensions is little."""
    return moments_flops(images, real, width)
