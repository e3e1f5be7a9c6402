"""Fréchet distance and KID with each group of prompts left out, from sums a group: what makes `coverage.py` take minutes."""

from __future__ import annotations

import numpy as np

from fcr_core.metrics import frechet, kid
from fcr_core.statistics.frechet_influence import root_of
from fcr_core.statistics.prompt_groups import group_of


def distances(counts: np.ndarray, sums: np.ndarray, squares: np.ndarray, mean: np.ndarray, cov: np.ndarray) -> np.ndarray:
    """Fréchet distances (k,) of k sets given by their counts (k,), sums (k, d) and sums of outer products (k, d, d)."""
    means = sums / counts[:, None]
    covariances = squares - counts[:, None, None] * means[:, :, None] * means[:, None, :]
    covariances /= counts[:, None, None] - 1
    root = root_of(cov)
    cross = np.sqrt(np.linalg.eigvalsh(root @ covariances @ root).clip(0)).sum(1)
    return ((means - mean) ** 2).sum(1) + np.trace(covariances, axis1=1, axis2=2) + np.trace(cov) - 2 * cross


def kept_prompts(groups: np.ndarray) -> np.ndarray:
    """(G + 1, P) of 0 and 1: all prompts, then those outside each group; group −1 is never left out."""
    left_out = np.arange(groups.max() + 1)
    return np.vstack([np.ones(len(groups)), (groups != left_out[:, None])])


def weighted_frechet(features: np.ndarray, weights: np.ndarray, mean: np.ndarray, cov: np.ndarray) -> np.ndarray:
    """Distances (k,) of `features` (seeds, prompts, d), all seeds together, for k weightings of the prompts (k, P)."""
    seeds, prompts, width = features.shape
    outer = np.einsum("spi,spj->pij", features, features, optimize=True).reshape(prompts, -1)
    squares = (weights @ outer).reshape(-1, width, width)
    return distances(seeds * weights.sum(1), weights @ features.sum(0), squares, mean, cov)


def frechet_left_out(features: np.ndarray, groups: np.ndarray, mean: np.ndarray, cov: np.ndarray) -> np.ndarray:
    """(G + 1,): of all prompts, then with each group left out."""
    return weighted_frechet(features, kept_prompts(groups), mean, cov)


def bootstrapped_frechet(
    features: np.ndarray, mean: np.ndarray, cov: np.ndarray, rng: np.random.Generator, resamples: int
) -> np.ndarray:
    """Distances of sets of prompts drawn with replacement."""
    prompts = features.shape[1]
    return weighted_frechet(features, rng.multinomial(prompts, np.full(prompts, 1 / prompts), resamples), mean, cov)


class KidLeftOut:
    """KID to a fixed `reference` (m, d)."""

    def __init__(self, reference: np.ndarray) -> None:
        self.reference = reference
        kernel, count = kid.polynomial_kernel(reference, reference), len(reference)
        self.within = (kernel.sum() - np.trace(kernel)) / (count * (count - 1))

    def __call__(self, features: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """(G + 1,) KIDs of `features` (prompts, d): of all prompts, then with each group left out."""
        weights = kept_prompts(groups)
        counts = weights.sum(1)
        own = kid.polynomial_kernel(features, features)
        np.fill_diagonal(own, 0)
        within = ((weights @ own) * weights).sum(1) / (counts * (counts - 1))
        return within + self.within - 2 * weights @ kid.polynomial_kernel(features, self.reference).mean(1) / counts


def check() -> None:
    """Raises AssertionError if these shortcuts differ from the project's own metrics."""
    rng = np.random.default_rng(0)
    features, reference, groups = rng.normal(size=(2, 60, 5)), rng.normal(0.2, 1, size=(80, 5)), group_of(60)
    fast = (
        frechet_left_out(features, groups, reference.mean(0), np.cov(reference, rowvar=False)),
        KidLeftOut(reference)(features[0], groups),
    )
    for row, kept in enumerate([groups >= 0, *(groups != group for group in range(groups.max() + 1))]):
        slow = frechet.of_set(features[:, kept].reshape(-1, 5), reference), kid.of_set(features[0, kept], reference)
        np.testing.assert_allclose([fast[0][row], fast[1][row]], slow)
