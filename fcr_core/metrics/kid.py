"""Kernel Inception Distance on EfficientNet-lite0 features (Binkowski et al., 2018, arXiv 1801.01401), unbiased."""

from __future__ import annotations

import numpy as np

NAME = "kid_effnet"
INPUT = "pool"


def polynomial_kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """k(x, y) = (x·y / d + 1)³ for rows of x (n, d) and y (m, d): (n, m)."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def of_set(features: np.ndarray, reference: np.ndarray) -> float:
    """Unbiased squared MMD between rows of `features` (n, d) and `reference` (m, d); may be negative near 0."""
    x, y = features.astype(np.float64), reference.astype(np.float64)
    within = off_diagonal_mean(polynomial_kernel(x, x)) + off_diagonal_mean(polynomial_kernel(y, y))
    return float(within - 2 * polynomial_kernel(x, y).mean())


def off_diagonal_mean(kernel: np.ndarray) -> float:
    n = len(kernel)
    return (kernel.sum() - np.trace(kernel)) / (n * (n - 1))
