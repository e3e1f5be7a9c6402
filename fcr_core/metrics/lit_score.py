"""LiT score: 100 times the cosine of image and caption in the space of `fcr_core.features.lit`; and retrieval of captions."""

from __future__ import annotations

import numpy as np

from fcr_core.metrics.metric import Metric
from fcr_core.metrics.rows import check_pairs, unit_rows

METRIC = Metric(
    key="lit_score",
    title="LiT score",
    direction="higher",
    unit="100 cos",
    range=(-100, 100),
    needs="image and text",
    source="Zhai et al., 2022, arXiv 2111.07991",
    digits=2,
    role="image-text score",
)


def similarity(images: np.ndarray, texts: np.ndarray, projections: dict[str, np.ndarray]) -> np.ndarray:
    """Compute cosines (n, m) of image features (n, 1280) and text features (m, 384)."""
    return unit_rows(images @ projections["image"]) @ unit_rows(texts @ projections["text"]).T


def per_image(images: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """Compute 100 · cos of row-aligned embeddings (N, d) and (N, d): (N,), -100..100."""
    check_pairs("lit_score", images, texts)
    return 100 * (unit_rows(images) * unit_rows(texts)).sum(1)


def recall_at(k: int, images: np.ndarray, texts: np.ndarray, projections: dict[str, np.ndarray]) -> float:
    """Count the share of images whose own caption is among the `k` nearest of all captions, 0..1."""
    cosines = similarity(images, texts, projections)
    rank = (cosines > np.diag(cosines)[:, None]).sum(1)
    return float((rank < k).mean())
