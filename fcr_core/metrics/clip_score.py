"""CLIPScore: the cosine of the embeddings of an image and its caption."""

from __future__ import annotations

import numpy as np

from fcr_core.metrics.metric import Metric
from fcr_core.metrics.rows import check_pairs, unit_rows

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
    """Compute 100 · max(cos, 0) of row-aligned embeddings (N, d) and (N, d): (N,).

    The factor 100 is that of torchmetrics and of papers on diffusion. Hessel et al. multiply by 2.5 and put "A photo depicts"
    before the caption.
    """
    check_pairs("clip_score", images, texts)
    return 100 * (unit_rows(images) * unit_rows(texts)).sum(1).clip(0)
