"""How far caching moves an image in a network's space: RMSE of embeddings between a variation and its uncached twin."""

from __future__ import annotations

import numpy as np

from fcr_core.metrics.metric import Metric

METRIC = Metric(
    key="embedding_drift",
    title="embedding drift",
    direction="lower",
    unit="feature units",
    range=(0, float("inf")),
    needs="image",
    source="root mean square error",
    digits=3,
)


def per_image(embeddings: np.ndarray, twins: np.ndarray) -> np.ndarray:
    """Root of the mean squared difference over dimensions, (N, d) x 2 -> (N,)."""
    return np.sqrt(((embeddings.astype(np.float64) - twins) ** 2).mean(1))
