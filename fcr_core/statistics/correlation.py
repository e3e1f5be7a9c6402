"""How well one quantity predicts another over models: Pearson r and R² with intervals, left-out models, ranks."""

from __future__ import annotations

import numpy as np
from scipy import stats

RESAMPLES = 5000


def fit(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Fit y to x, both (n,) with one value a model. Needs n >= 4 and values that differ.

    `r` has Fisher's interval, `r2` that of a seeded percentile bootstrap over models. `r2_left_out` is 1 − PRESS/SST: a line
    through the others predicts each model; it is negative if the mean predicts better. `spearman` is the rank correlation.
    """
    pearson = stats.pearsonr(x, y)
    fisher = pearson.confidence_interval(0.95)
    bootstrap = stats.bootstrap((x, y), r_squared, paired=True, method="percentile", n_resamples=RESAMPLES, rng=0)
    return {
        "n_models": len(x),
        "r": pearson.statistic,
        "r_low": fisher.low,
        "r_high": fisher.high,
        "r2": pearson.statistic**2,
        "r2_low": bootstrap.confidence_interval.low,
        "r2_high": bootstrap.confidence_interval.high,
        "r2_left_out": left_out_r2(x, y),
        "spearman": stats.spearmanr(x, y).statistic,
    }


def r_squared(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
    """Compute the squared Pearson correlation along an axis; NaN where a sample does not vary."""
    x, y = x - x.mean(axis, keepdims=True), y - y.mean(axis, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (x * y).sum(axis) ** 2 / ((x**2).sum(axis) * (y**2).sum(axis))


def left_out_r2(x: np.ndarray, y: np.ndarray) -> float:
    """Compute 1 − PRESS/SST of the least-squares line; a left-out residual is e_i / (1 − h_i)."""
    design = np.column_stack([np.ones_like(x), x])
    hat = design @ np.linalg.pinv(design)
    residuals = (y - hat @ y) / (1 - np.diag(hat))
    return float(1 - (residuals**2).sum() / ((y - y.mean()) ** 2).sum())
