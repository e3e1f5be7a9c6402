"""Standard error of a Fréchet distance from each prompt's influence on it: one eigendecomposition an arm instead of twenty.

The reference set is fixed: the interval says what other prompts and seeds would give against the same reference. It is an
interval for the distance at this number of images, not at infinitely many.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from fcr_core.statistics.intervals import Interval, mean_interval
from fcr_core.statistics.rounding import not_negative


@dataclass(frozen=True)
class Linearised:
    """A statistic of one arm: its value, and the influence of each prompt on it (P,); influences average to 0."""

    value: float
    influence: np.ndarray

    def interval(self) -> Interval:
        return mean_interval(self.value + self.influence)

    def difference(self, other: Linearised) -> Interval:
        """Compute self − other, paired: both have the same prompts in the same order."""
        return mean_interval(self.value - other.value + self.influence - other.influence)

    def relative_change(self, other: Linearised) -> Interval:
        """Compute self / other − 1, paired, by the delta method: the influence on a/b is (IF_a − a/b · IF_b) / b."""
        ratio = self.value / other.value
        return mean_interval(ratio - 1 + (self.influence - ratio * other.influence) / other.value)


def linearised_frechet(features: np.ndarray, reference_mean: np.ndarray, reference_covariance: np.ndarray) -> Linearised:
    """Compute the Fréchet distance of all seeds' images, `features` (seeds, prompts, d), to a reference of fixed moments.

    IF(x) = 2 (μ − μ_r)·(x − μ) + (x − μ)ᵀ (I − T)(x − μ) − tr((I − T) Σ),  T = R (R Σ R)^(−½) R,  R = Σ_r^½,
    averaged over the seeds of a prompt, which are one cluster. Rippl, Munk & Sturm (2016, arXiv 1507.04090) prove a central limit
    theorem. Raises `ValueError` unless there are more images than dimensions: otherwise the distance has no derivative.
    """
    seeds, prompts, width = features.shape
    rows = features.reshape(-1, width).astype(np.float64)
    if len(rows) <= width:
        raise ValueError(f"{len(rows)} images in {width} dimensions: needs more images than dimensions, or else the jackknife")
    mean, covariance = rows.mean(0), np.cov(rows, rowvar=False)
    gap, centred, root = mean - reference_mean, rows - mean, root_of(reference_covariance)
    values, vectors = eigh(root @ covariance @ root)
    # Directions that the reference does not span have eigenvalue 0 up to rounding, and no part in T.
    spanned = values > values[-1] * width * np.finfo(np.float64).eps
    transport = root @ (vectors[:, spanned] / np.sqrt(values[spanned])) @ vectors[:, spanned].T @ root
    spread = np.trace(covariance) + np.trace(reference_covariance)
    value = not_negative(float(gap @ gap + spread - 2 * np.sqrt(values[spanned]).sum()), float(spread), width)
    influence = 2 * centred @ gap + ((centred - centred @ transport) * centred).sum(1)
    return Linearised(value, (influence - influence.mean()).reshape(seeds, prompts).mean(0))


def root_of(covariance: np.ndarray) -> np.ndarray:
    """Compute the symmetric square root of a covariance (d, d)."""
    values, vectors = eigh(covariance)
    return vectors * np.sqrt(values.clip(0)) @ vectors.T
