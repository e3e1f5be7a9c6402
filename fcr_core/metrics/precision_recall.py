"""Improved precision and recall, density and coverage: the share of either set that lies near the other.

The ball around a row reaches to its k-th nearest other row of the same set, k = 5. A row on the edge of a ball is inside (<=),
as in the paper's equation 1 and in torch-fidelity. `prdc` has <; without ties both give the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations_with_replacement

import numpy as np

from fcr_core.metrics.metric import Metric
from fcr_core.metrics.rows import check_rows, spans, squared_distances

NEIGHBOURS = 5
KYNKAANNIEMI, NAEEM = "Kynkäänniemi et al., 2019, arXiv 1904.06991", "Naeem et al., 2020, arXiv 2002.09797"
METRICS = (
    Metric("precision", "precision", "higher", "", (0, 1), "pool", KYNKAANNIEMI, digits=3),
    Metric("recall", "recall", "higher", "", (0, 1), "pool", KYNKAANNIEMI, digits=3),
    Metric("density", "density", "higher", "", (0, float("inf")), "pool", NAEEM),
    Metric("coverage", "coverage", "higher", "", (0, 1), "pool", NAEEM),
)


def squared_radii(rows: np.ndarray, neighbours: int = NEIGHBOURS) -> np.ndarray:
    """Compute the squared distance of each row (n, d) to its k-th nearest other row (n,). Raises `ValueError` unless n > k."""
    return radii_within(rows, *ungrouped(rows), neighbours)[0]


def ungrouped(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Put all rows in one group, and that group in one subset."""
    return np.zeros(len(rows), int), np.ones((1, 1), bool)


def radii_within(rows: np.ndarray, groups: np.ndarray, kept: np.ndarray, neighbours: int) -> np.ndarray:
    """Compute each row's squared distance to its k-th nearest other row within each subset (S, n); -1 for a row outside it.

    `groups` (n,) is the group of each row of `rows` (n, d); `kept` (S, G) says which groups a subset has. One pass over pairs.
    """
    fewest = (kept @ np.bincount(groups)).min()
    if fewest <= neighbours:
        raise ValueError(f"{neighbours} nearest neighbours need at least {neighbours + 1} images, not {fewest}: sample more")
    nearest = nearest_by_group(rows, groups, neighbours)
    radii = np.array([smallest(nearest[:, has].reshape(len(rows), -1), neighbours).max(1) for has in kept])
    return np.where(kept[:, groups], radii, -1)


def nearest_by_group(rows: np.ndarray, groups: np.ndarray, neighbours: int) -> np.ndarray:
    """Find each row's squared distances to its k nearest other rows of each group (n, G, k); inf where a group has fewer.

    The k nearest rows of any union of groups are among these, so leaving out a group needs no further distance.
    """
    nearest = np.full((len(rows), groups.max() + 1, neighbours), np.inf)
    members = [np.flatnonzero(groups == group) for group in range(groups.max() + 1)]
    pieces = [(group, all_of[span]) for group, all_of in enumerate(members) for span in spans(len(all_of))]
    for (g, i), (h, j) in combinations_with_replacement(pieces, 2):
        distances = squared_distances(rows[i], rows[j])
        if i is j:
            np.fill_diagonal(distances, np.inf)
        else:
            nearest[j, g] = smallest(np.hstack([nearest[j, g], distances.T]), neighbours)
        nearest[i, h] = smallest(np.hstack([nearest[i, h], distances]), neighbours)
    return nearest


def smallest(values: np.ndarray, count: int) -> np.ndarray:
    """Pick the `count` smallest values of each row, in any order."""
    return np.partition(values, count - 1, axis=1)[:, :count]


def of_set(features: np.ndarray, reference: np.ndarray, neighbours: int = NEIGHBOURS) -> dict[str, float]:
    """Compute all four values of `features` (n, d) against `reference` (m, d), n and m > k, in blocks, in float64.

    Precision: share of features inside any ball of the reference. Recall: share of the reference inside any ball of features.
    Density: mean number of the reference's balls that a feature lies in, over k. Coverage: share of the reference's balls that
    hold a feature.
    """
    return next(of_subsets(features, reference, *ungrouped(features), neighbours))


def left_out(features: np.ndarray, reference: np.ndarray, groups: np.ndarray) -> Iterator[dict[str, float]]:
    """Compute all four for all rows, then without each group 0..G-1; `groups` (n,). One pass over the pairs."""
    others = ~np.eye(groups.max() + 1, dtype=bool)
    return of_subsets(features, reference, groups, np.vstack([np.ones_like(others[:1]), others]), NEIGHBOURS)


def of_subsets(
    features: np.ndarray, reference: np.ndarray, groups: np.ndarray, kept: np.ndarray, neighbours: int
) -> Iterator[dict[str, float]]:
    """Compute what `of_set` does for each subset of `features`; `groups` (n,) and `kept` (S, G) as in `radii_within`.

    Raises `ValueError` unless the reference and every subset have more than k rows, all finite.
    """
    check_rows("precision_recall", features=features, reference=reference)
    radii, reference_radii = radii_within(features, groups, kept, neighbours), squared_radii(reference, neighbours)
    member = kept[:, groups]
    balls = np.zeros(len(features), int)
    covered, recalled = np.zeros((2, len(kept), len(reference)), bool)
    for i in spans(len(reference)):
        for j in spans(len(features)):
            distances = squared_distances(reference[i], features[j])
            inside = distances <= reference_radii[i, None]
            balls[j] += inside.sum(0)
            covered[:, i] |= member[:, j].astype(np.float32) @ inside.T.astype(np.float32) > 0
            recalled[:, i] |= [(distances <= radius).any(1) for radius in radii[:, j]]
    for which, balls_with_image, images_near in zip(member, covered, recalled, strict=True):
        yield {
            "precision": float((balls[which] > 0).mean()),
            "recall": float(images_near.mean()),
            "density": float(balls[which].mean() / neighbours),
            "coverage": float(balls_with_image.mean()),
        }


def set_flops(images: int, real: int, width: int, replicates: int = 1) -> float:
    """Count FLOPs of one set and all its replicates: half of all pairs of rows, 2 FLOPs a number."""
    return width * (images + real) ** 2
