"""Precision and recall that ask whether an image suits its prompt, by three definitions under three names.

There is no standard one: with one real image a caption, precision and recall within a prompt do not exist. So:

- joint: plain precision and recall in the space [image ; λ · text];
- class: plain precision and recall within each class, for prompts that name a class with many real images;
- prompt: an image counts only by the ball around the real image of its own prompt, over several seeds.
"""

from __future__ import annotations

import numpy as np

from fcr_core.metrics import precision_recall
from fcr_core.metrics.metric import Metric
from fcr_core.metrics.precision_recall import NEIGHBOURS, squared_radii

KYNKAANNIEMI = "Kynkäänniemi et al., 2019, arXiv 1904.06991"
JOINT = f"{KYNKAANNIEMI}, in the space of DeVries et al., 2019, arXiv 1907.08175"
PAIRS = "image and text"
METRICS = (
    Metric("joint_precision", "precision of image and prompt", "higher", "", (0, 1), PAIRS, JOINT),
    Metric("joint_recall", "recall of image and prompt", "higher", "", (0, 1), PAIRS, JOINT),
    Metric("class_precision", "precision within a class", "higher", "", (0, 1), "pool and classes", KYNKAANNIEMI),
    Metric("class_recall", "recall within a class", "higher", "", (0, 1), "pool and classes", KYNKAANNIEMI),
    Metric("prompt_precision", "precision within a prompt", "higher", "", (0, 1), "pool by seed and prompt", KYNKAANNIEMI),
    Metric("prompt_recall", "recall within a prompt", "higher", "", (0, 1), "pool by seed and prompt", KYNKAANNIEMI),
)


def joint(
    images: np.ndarray,
    texts: np.ndarray,
    real_images: np.ndarray,
    real_texts: np.ndarray,
    weight: float = 1.0,
    neighbours: int = NEIGHBOURS,
) -> dict[str, float]:
    """Joint precision and recall of row-aligned images (n, d) and texts (n, e) against real ones (m, d) and (m, e).

    `weight` 1 gives image and text the same mean length over the real pairs (λ is the ratio of these lengths); 0 ignores texts.
    """
    balance = weight * np.linalg.norm(real_images, axis=1).mean() / np.linalg.norm(real_texts, axis=1).mean()
    both = precision_recall.of_set(
        np.hstack([images, balance * texts]), np.hstack([real_images, balance * real_texts]), neighbours
    )
    return {"joint_precision": both["precision"], "joint_recall": both["recall"]}


def per_class(
    features: np.ndarray, classes: np.ndarray, reference: np.ndarray, real_classes: np.ndarray, neighbours: int = NEIGHBOURS
) -> dict[str, np.ndarray]:
    """Precision and recall of each class (C,), in the order of `np.unique(classes)`: average, or resample, over classes.

    `features` (n, d), `reference` (m, d), a class for each row; every class needs more than k rows in both, else ValueError.
    """
    names = np.unique(classes)
    values = []
    for name in names:
        made, real = features[classes == name], reference[real_classes == name]
        if min(len(made), len(real)) <= neighbours:
            raise ValueError(f"class {name}: {len(made)} images and {len(real)} real ones, both must be more than {neighbours}")
        values.append(precision_recall.of_set(made, real, neighbours))
    return {f"class_{key}": np.array([value[key] for value in values]) for key in ("precision", "recall")}


def per_prompt(features: np.ndarray, reference: np.ndarray, neighbours: int = NEIGHBOURS) -> dict[str, np.ndarray]:
    """Precision and recall of each prompt (P,) from S seeds, `features` (S, P, d), and its one real image, `reference` (P, d).

    Precision: share of the prompt's seeds inside the ball of its real image. Recall: 1 if the real image is inside the ball of
    any of the prompt's seeds, else 0. The balls are those of the whole sets: k-th nearest of P real, of S · P sampled images.
    """
    seeds, prompts, width = features.shape
    radii = squared_radii(features.reshape(-1, width), neighbours).reshape(seeds, prompts)
    distances = np.array([((made.astype(np.float64) - reference) ** 2).sum(1) for made in features])
    return {
        "prompt_precision": (distances <= squared_radii(reference, neighbours)).mean(0),
        "prompt_recall": (distances <= radii).any(0).astype(float),
    }
