"""Precision and recall of images with their prompts: the plain formulas in the space [image ; λ · text].

There is no standard form; `prompt_precision_recall` has another.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fcr_core.metrics import precision_recall
from fcr_core.metrics.metric import Metric
from fcr_core.metrics.precision_recall import KYNKAANNIEMI, NEIGHBOURS

JOINT = f"{KYNKAANNIEMI}, in the space of DeVries et al., 2019, arXiv 1907.08175"
METRICS = (
    Metric("joint_precision", "precision of image and prompt", "higher", "", (0, 1), "image and text", JOINT),
    Metric("joint_recall", "recall of image and prompt", "higher", "", (0, 1), "image and text", JOINT),
)


def joined(images: np.ndarray, texts: np.ndarray, balance: float) -> np.ndarray:
    """Join row-aligned images (..., d) and texts (..., e) to rows (..., d + e) of the joint space; `balance` is λ."""
    return np.concatenate([images, balance * texts], axis=-1)


def balance(real_images: np.ndarray, real_texts: np.ndarray) -> float:
    """Find the λ that gives images and texts the same mean length over the real pairs (m, d) and (m, e)."""
    return float(np.linalg.norm(real_images, axis=1).mean() / np.linalg.norm(real_texts, axis=1).mean())


def of_set(features: np.ndarray, reference: np.ndarray, neighbours: int = NEIGHBOURS) -> dict[str, float]:
    """Compute both for rows (n, d + e) of the joint space against real ones (m, d + e)."""
    return of_joint(precision_recall.of_set(features, reference, neighbours))


def left_out(features: np.ndarray, reference: np.ndarray, groups: np.ndarray) -> Iterator[dict[str, float]]:
    """Compute both for all rows, then without each group 0..G-1; `groups` (n,). One pass over the pairs."""
    return map(of_joint, precision_recall.left_out(features, reference, groups))


def of_joint(plain: dict[str, float]) -> dict[str, float]:
    return {f"joint_{key}": plain[key] for key in ("precision", "recall")}


def set_flops(images: int, real: int, width: int, replicates: int = 1) -> float:
    """Count FLOPs of one set and all its replicates, as `precision_recall.set_flops`: a row holds an image and its caption."""
    return 2 * width * (images + real) ** 2
