"""CLIP-MMD: MMD² of image embeddings with a Gaussian kernel, σ = 10, times 1000, on rows of unit length.

The paper calls its estimate unbiased, but its code computes the V-statistic, which is biased. This file has both, each under
its own name.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fcr_core.metrics.metric import Metric
from fcr_core.metrics.mmd import Discrepancy
from fcr_core.metrics.rows import check_rows, squared_distances, unit_rows

SIGMA = 10
SCALE = 1000
SOURCE = "Jayasumana et al., 2024, arXiv 2401.09603"
# On unit rows k lies between exp(-4 / 2σ²) = 0.9802 and 1.
METRICS = (
    Metric("cmmd_u", "CMMD (unbiased)", "lower", "", (-40, 40), "image", SOURCE),
    Metric("cmmd_v", "CMMD (as in its code)", "lower", "", (0, 40), "image", SOURCE),
)


def gaussian_kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Compute k(x, y) = exp(-‖x − y‖² / 2σ²) for rows of x (n, d) and y (m, d): (n, m)."""
    return np.exp(squared_distances(x, y) / (-2 * SIGMA**2))


def of_set(features: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """Compute both statistics of embeddings (n, d) and (m, d). Rows are first brought to unit length."""
    return next(left_out(features, reference, np.zeros(len(features), int)))


def left_out(features: np.ndarray, reference: np.ndarray, groups: np.ndarray) -> Iterator[dict[str, float]]:
    """Compute both statistics of all rows, then without each group 0..G-1; `groups` (n,). One pass over the pairs."""
    check_rows("cmmd", 2, features=features, reference=reference)
    sums = Discrepancy.of(gaussian_kernel, unit_rows(features), unit_rows(reference), groups)
    for u, v in zip(sums.left_out(unbiased=True), sums.left_out(unbiased=False), strict=True):
        yield {"cmmd_u": SCALE * u, "cmmd_v": SCALE * v}


def set_flops(images: int, real: int, width: int, replicates: int = 1) -> float:
    """Count FLOPs of one set and all its replicates: half of all pairs of rows, 2 FLOPs a number."""
    return width * (images + real) ** 2
