"""Fréchet distance of two sets of features as Gaussians, from moments that can be merged and taken apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add

import numpy as np
from scipy.linalg import eigvalsh
from scipy.linalg.lapack import dpstrf

from fcr_core.metrics.metric import Metric
from fcr_core.metrics.rows import blocks, check_rows
from fcr_core.statistics.rounding import not_negative

# FLOPs of one distance, over d³: two products of matrices (4) and eigenvalues alone (about 8).
DISTANCE_FLOPS = 12
METRIC = Metric(
    key="frechet",
    title="Fréchet distance",
    direction="lower",
    unit="squared feature units",
    range=(0, float("inf")),
    needs="pool",
    source="Dowson & Landau, 1982; Heusel et al., 2017, arXiv 1706.08500",
    digits=2,
    role="Fréchet distance",
)


@dataclass(frozen=True)
class Moments:
    """Count, mean (d,) and scatter Σ (x − mean)(x − mean)ᵀ (d, d) of rows, float64.

    `a + b` has the moments of both sets of rows, `a - b` those of a's rows without b's (Chan, Golub & LeVeque, 1983).
    """

    count: int
    mean: np.ndarray
    scatter: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray) -> Moments:
        """Compute the moments of rows (n, d) block by block, without a second copy of the rows."""
        return reduce(add, map(cls._of_block, blocks(rows)))

    @classmethod
    def _of_block(cls, rows: np.ndarray) -> Moments:
        mean = rows.mean(0, dtype=np.float64)
        centred = rows - mean
        return cls(len(rows), mean, centred.T @ centred)

    def __add__(self, other: Moments) -> Moments:
        count = self.count + other.count
        gap = other.mean - self.mean
        scatter = np.outer(gap, gap * (self.count * other.count / count))
        scatter += self.scatter
        scatter += other.scatter
        return Moments(count, self.mean + gap * (other.count / count), scatter)

    def __sub__(self, other: Moments) -> Moments:
        count = self.count - other.count
        mean = self.mean - (other.mean - self.mean) * (other.count / count)
        gap = other.mean - mean
        scatter = np.outer(gap, gap * (-count * other.count / self.count))
        scatter += self.scatter
        scatter -= other.scatter
        return Moments(count, mean, scatter)

    @property
    def covariance(self) -> np.ndarray:
        """Unbiased covariance (d, d). Raises `ValueError` for fewer than two rows."""
        if self.count < 2:
            raise ValueError(f"a covariance needs at least 2 images, not {self.count}: sample more of them")
        return self.scatter / (self.count - 1)

    @property
    def total_variance(self) -> float:
        """Trace of the covariance."""
        return float(np.trace(self.covariance))

    @cached_property
    def factor(self) -> np.ndarray:
        """F (d, rank) with F Fᵀ = covariance, by Cholesky with pivots. It also works with fewer rows than dimensions."""
        triangle, pivots, rank, _ = dpstrf(self.covariance.T, lower=1, overwrite_a=True)
        factor = np.empty((len(pivots), rank))
        factor[pivots - 1] = np.tril(triangle[:, :rank])
        return factor


def frechet_distance(x: Moments, reference: Moments) -> float:
    """Compute ‖μ_x − μ_r‖² + tr Σ_x + tr Σ_r − 2 tr (Σ_r^½ Σ_x Σ_r^½)^½.

    With Σ_r = F Fᵀ the last trace equals that of (Fᵀ Σ_x F)^½. This matrix is symmetric, so its eigenvalues are enough and no
    root of a matrix is taken. The reference keeps F: each further set against it costs one `eigvalsh`.

    It is never negative: what rounding takes below 0 is 0. Raises `ValueError` for more than that, as moments have that are of no
    set of rows.
    """
    gap = x.mean - reference.mean
    product = reference.factor.T @ x.covariance @ reference.factor
    cross = np.sqrt(eigvalsh(product, overwrite_a=True).clip(0)).sum()
    spread = x.total_variance + reference.total_variance
    return not_negative(float(gap @ gap + spread - 2 * cross), spread, len(gap))


def of_set(features: np.ndarray, reference: np.ndarray) -> float:
    """Compute the distance of `features` (n, d) to `reference` (m, d).

    It is biased upwards by about C/n: compare sets of equal size only.
    """
    check_rows("frechet", 2, features=features, reference=reference)
    return frechet_distance(Moments.of(features), Moments.of(reference))


def left_out(features: np.ndarray, reference: np.ndarray, groups: np.ndarray) -> Iterator[float]:
    """Compute the distance of all rows, then without each group 0..G-1; `groups` (n,). Reads rows once, holds G scatters."""
    check_rows("frechet", 2, features=features, reference=reference)
    target = Moments.of(reference)
    parts = [Moments.of(features[groups == group]) for group in range(groups.max() + 1)]
    whole = reduce(add, parts)
    yield frechet_distance(whole, target)
    for part in parts:
        yield frechet_distance(whole - part, target)


def set_flops(images: int, real: int, width: int, replicates: int = 1) -> float:
    """Count FLOPs of the moments, once, and of one distance a replicate."""
    return moments_flops(images, real, width) + replicates * DISTANCE_FLOPS * width**3


def moments_flops(images: int, real: int, width: int) -> float:
    """Count FLOPs of mean and scatter of both sets, `width` numbers a row."""
    return 2 * width**2 * (images + real)
