"""Embedding drift: RMSE between the embeddings of an image and of its uncached twin."""

from __future__ import annotations

import numpy as np

from fcr_core.metrics.metric import Metric
from fcr_core.metrics.rows import check_pairs

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
    """Take the root of the mean squared difference over dimensions, (N, d) x 2 -> (N,)."""
    check_pairs("embedding_drift", embeddings, twins)
    return np.sqrt(((embeddings.astype(np.float64) - twins) ** 2).mean(1))
