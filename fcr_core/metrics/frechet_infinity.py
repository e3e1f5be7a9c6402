"""Fréchet distance extrapolated to infinitely many sampled images, which removes the bias of a finite sample.

The reference set keeps its size, and the bias that comes from it.
"""

from __future__ import annotations

import numpy as np

from fcr_core.metrics.frechet import DISTANCE_FLOPS, Moments, frechet_distance, moments_flops
from fcr_core.metrics.metric import Metric
from fcr_core.metrics.rows import check_rows

POINTS = 15
SEED = 0
METRIC = Metric(
    key="frechet_infinity",
    title="Fréchet distance at N → ∞",
    direction="lower",
    unit="squared feature units",
    range=(float("-inf"), float("inf")),
    needs="pool",
    source="Chong & Forsyth, 2020, arXiv 1911.07023",
)


def sizes(count: int) -> np.ndarray:
    """Choose the sizes of the subsets (15,), evenly from min(5000, count / 10) to count."""
    return np.linspace(min(5000, count / 10), count, POINTS).astype(int)


def of_set(features: np.ndarray, reference: np.ndarray) -> float:
    """Fit a least-squares line to the distances of 15 random subsets of `features` (n, d) over 1/N, and return its intercept.

    Each subset is drawn without replacement, from a fixed seed. Raises `ValueError` for fewer than 20 rows.
    """
    from scipy.stats import linregress  # 0.7 seconds

    check_rows("frechet_infinity", 20, features=features)
    check_rows("frechet_infinity", 2, features=features, reference=reference)
    rng, target = np.random.default_rng(SEED), Moments.of(reference)
    numbers = sizes(len(features))
    distances = [
        frechet_distance(Moments.of(features[rng.choice(len(features), number, replace=False)]), target) for number in numbers
    ]
    return float(linregress(1 / numbers, distances).intercept)


def set_flops(images: int, real: int, width: int, replicates: int = 1) -> float:
    """Count FLOPs of 15 subsets, each replicate anew; they hold 0.55 of the images on average."""
    return replicates * (POINTS * 0.55 * moments_flops(images, real, width) + POINTS * DISTANCE_FLOPS * width**3)
