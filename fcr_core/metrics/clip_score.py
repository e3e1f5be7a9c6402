"""CLIPScore: how well an image suits its caption, by the cosine of their embeddings."""

from __future__ import annotations

import numpy as np

from fcr_core.metrics.metric import Metric
from fcr_core.metrics.rows import unit_rows

METRIC = Metric(
    key="clip_score",
    title="CLIPScore",
    direction="higher",
    unit="100 cos",
    range=(0, 100),
    needs="image and text",
    source="Hessel et al., 2021, arXiv 2104.08718",
    digits=2,
    role="image-text score",
)


def per_image(images: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """100 · max(cos, 0) of row-aligned embeddings (N, d) and (N, d): (N,).

    The weight 100 is torchmetrics' and that of papers on diffusion; Hessel et al. multiply by 2.5 and put "A photo depicts"
    before the caption.
    """
    return 100 * (unit_rows(images) * unit_rows(texts)).sum(1).clip(0)
