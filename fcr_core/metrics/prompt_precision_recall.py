"""Precision and recall of each prompt over seeds: an image is compared only with the real image of its own prompt.

A prompt has one real image, so the plain formulas cannot be applied within a prompt.
"""

from __future__ import annotations

import numpy as np

from fcr_core.metrics.metric import Metric
from fcr_core.metrics.precision_recall import KYNKAANNIEMI, NEIGHBOURS, squared_radii
from fcr_core.metrics.rows import check_rows

METRICS = (
    Metric("prompt_precision", "precision within a prompt", "higher", "", (0, 1), "pool", KYNKAANNIEMI),
    Metric("prompt_recall", "recall within a prompt", "higher", "", (0, 1), "pool", KYNKAANNIEMI),
)


def per_prompt(features: np.ndarray, reference: np.ndarray, neighbours: int = NEIGHBOURS) -> dict[str, np.ndarray]:
    """Compute precision and recall of each prompt (P,) from `features` (S, P, d) of S seeds and `reference` (P, d).

    Precision: share of the prompt's sampled images inside the ball of its real image. Recall: 1 if the real image is inside the
    ball of any of the prompt's sampled images, else 0. Balls reach to the k-th nearest image of the whole set: of P real ones,
    and of S · P sampled ones.
    """
    seeds, prompts, width = features.shape
    check_rows("prompt_precision_recall", features=features.reshape(-1, width), reference=reference)
    if len(reference) != prompts:
        raise ValueError(f"prompt_precision_recall: {len(reference)} real images, one is needed for each of {prompts} prompts")
    radii = squared_radii(features.reshape(-1, width), neighbours).reshape(seeds, prompts)
    distances = np.array([((made.astype(np.float64) - reference) ** 2).sum(1) for made in features])
    return {
        "prompt_precision": (distances <= squared_radii(reference, neighbours)).mean(0),
        "prompt_recall": (distances <= radii).any(0).astype(float),
    }


def set_flops(images: int, real: int, width: int, replicates: int = 1) -> float:
    """Count FLOPs: half of the pairs within the sampled and within the real images, 2 FLOPs a number."""
    return width * (images**2 + real**2)
