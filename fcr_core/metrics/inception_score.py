"""Inception Score as it is usually reported: mean and SD over 10 splits of the set.

The SD over splits is not an interval: each split has a tenth of the images, and all splits share one sampler and its prompts.
For images unlike ImageNet's the score says little about quality.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from fcr_core.metrics.metric import Metric
from fcr_core.metrics.rows import check_rows

SOURCE = "Salimans et al., 2016, arXiv 1606.03498"
METRICS = (
    Metric(
        "inception_score",
        "IS (mean of splits)",
        "higher",
        "classes",
        (1, float("inf")),
        "logits",
        SOURCE,
        against_real=False,
        digits=1,
    ),
    Metric(
        "inception_score_sd", "SD of IS over splits", "lower", "classes", (0, float("inf")), "logits", SOURCE, against_real=False
    ),
)


def of_splits(logits: np.ndarray, splits: int) -> np.ndarray:
    """Compute exp E KL(p(y|x) ‖ p(y)) of each of `splits` consecutive parts of logits (n, classes): (splits,).

    1 = all images alike; at most the number of classes, or of images in a part.
    """
    ends = np.arange(splits + 1) * len(logits) // splits
    return np.array([score(logits[start:end]) for start, end in pairwise(ends)])


def score(logits: np.ndarray) -> float:
    """Compute exp E KL(p(y|x) ‖ p(y)) of logits (n, classes). Raises `ValueError` for none, or for NaN and infinite ones."""
    check_rows("the class score", logits=logits)
    from scipy.special import log_softmax  # 0.4 seconds

    log_p = log_softmax(logits.astype(np.float64), axis=1)
    p = np.exp(log_p)
    return float(np.exp((p * (log_p - np.log(p.mean(0)))).sum(1).mean()))


def of_set(logits: np.ndarray, _reference: np.ndarray | None = None, splits: int = 10) -> dict[str, float]:
    """Compute mean and SD over splits of logits (n, classes), in the order of the rows.

    There is no reference. Raises `ValueError` if n < splits.
    """
    if len(logits) < splits:
        raise ValueError(f"{len(logits)} images are too few for {splits} splits of inception_score: use class_score")
    scores = of_splits(logits, splits)
    return {"inception_score": float(scores.mean()), "inception_score_sd": float(scores.std())}


def set_flops(images: int, real: int, width: int, replicates: int = 1) -> float:
    """Count nothing: the work is linear in the logits, and small beside the network that gave them."""
    return 0.0
