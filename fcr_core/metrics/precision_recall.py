"""Improved precision and recall, density and coverage: what share of either set lies near the other.

A ball around a row reaches to its k-th nearest other row of the same set, k = 5. A row on the edge of a ball is inside (<=), as
in the paper's equation 1 and torch-fidelity; `prdc` has <. Features are real numbers: without ties both are the same.
"""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np

from fcr_core.metrics.metric import Metric
from fcr_core.metrics.rows import spans, squared_distances

NEIGHBOURS = 5
KYNKAANNIEMI, NAEEM = "Kynkäänniemi et al., 2019, arXiv 1904.06991", "Naeem et al., 2020, arXiv 2002.09797"
METRICS = (
    Metric("precision", "precision", "higher", "", (0, 1), "pool", KYNKAANNIEMI),
    Metric("recall", "recall", "higher", "", (0, 1), "pool", KYNKAANNIEMI),
    Metric("density", "density", "higher", "", (0, float("inf")), "pool", NAEEM),
    Metric("coverage", "coverage", "higher", "", (0, 1), "pool", NAEEM),
)


def squared_radii(rows: np.ndarray, neighbours: int = NEIGHBOURS) -> np.ndarray:
    """Squared distance of each row (n, d) to its k-th nearest other row (n,). ValueError unless n > k."""
    if len(rows) <= neighbours:
        raise ValueError(f"{neighbours} nearest neighbours need at least {neighbours + 1} images, not {len(rows)}: sample more")
    nearest = np.full((len(rows), neighbours), np.inf)
    for i, j in combinations_with_replacement(spans(len(rows)), 2):
        distances = squared_distances(rows[i], rows[j])
        if i == j:
            np.fill_diagonal(distances, np.inf)
        else:
            nearest[j] = smallest(np.hstack([nearest[j], distances.T]), neighbours)
        nearest[i] = smallest(np.hstack([nearest[i], distances]), neighbours)
    return nearest.max(1)


def smallest(values: np.ndarray, count: int) -> np.ndarray:
    """The `count` smallest of each row, in any order."""
    return np.partition(values, count - 1, axis=1)[:, :count]


def of_set(features: np.ndarray, reference: np.ndarray, neighbours: int = NEIGHBOURS) -> dict[str, float]:
    """All four of `features` (n, d) against `reference` (m, d), n and m > k; distances in blocks, float64.

    Precision: share of features inside any ball of the reference; recall: share of the reference inside any ball of features;
    density: balls of the reference that a feature lies in, over k; coverage: share of the reference's balls with a feature.
    """
    radii, reference_radii = squared_radii(features, neighbours), squared_radii(reference, neighbours)
    balls = np.zeros(len(features), int)
    covered, recalled = np.zeros(len(reference), bool), np.zeros(len(reference), bool)
    for i in spans(len(reference)):
        for j in spans(len(features)):
            distances = squared_distances(reference[i], features[j])
            inside = distances <= reference_radii[i, None]
            balls[j] += inside.sum(0)
            covered[i] |= inside.any(1)
            recalled[i] |= (distances <= radii[j]).any(1)
    return {
        "precision": float((balls > 0).mean()),
        "recall": float(recalled.mean()),
        "density": float(balls.mean() / neighbours),
        "coverage": float(covered.mean()),
    }
