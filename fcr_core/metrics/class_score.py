"""Class score: the formula of the Inception Score without splits, for a few hundred images and any network with classes."""

from __future__ import annotations

import numpy as np

from fcr_core.metrics import inception_score
from fcr_core.metrics.metric import Metric

METRIC = Metric(
    key="class_score",
    title="class score",
    direction="higher",
    unit="classes",
    range=(1, float("inf")),
    needs="logits",
    source="Salimans et al., 2016, arXiv 1606.03498",
    against_real=False,
    digits=1,
)


def of_set(logits: np.ndarray, _reference: np.ndarray | None = None) -> float:
    """Compute exp E KL(p(y|x) ‖ p(y)) of logits (n, classes): 1 = all images alike, at most the number of classes.

    There is no reference.
    """
    return inception_score.score(logits)


def set_flops(images: int, real: int, width: int, replicates: int = 1) -> float:
    """Count nothing: the work is linear in the logits, and small beside the network that gave them."""
    return 0.0
