"""Inception Score's formula on EfficientNet-lite0's ImageNet classes (Salimans et al., 2016, arXiv 1606.03498), no splits."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

NAME = "class_score_effnet"
INPUT = "logits"


def of_set(logits: np.ndarray, _reference: np.ndarray | None = None) -> float:
    """exp E KL(p(y|x) ‖ p(y)) of logits (n, classes); 1 = all images alike, at most the number of classes. Needs no reference."""
    log_p = log_softmax(logits.astype(np.float64), axis=1)
    p = np.exp(log_p)
    return float(np.exp((p * (log_p - np.log(p.mean(0)))).sum(1).mean()))
