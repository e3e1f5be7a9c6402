"""Precision and recall within each class, for prompts that name a class with many real images."""

from __future__ import annotations

import numpy as np

from fcr_core.metrics import precision_recall
from fcr_core.metrics.metric import Metric
from fcr_core.metrics.precision_recall import KYNKAANNIEMI, NEIGHBOURS

METRICS = (
    Metric("class_precision", "precision within a class", "higher", "", (0, 1), "pool and classes", KYNKAANNIEMI),
    Metric("class_recall", "recall within a class", "higher", "", (0, 1), "pool and classes", KYNKAANNIEMI),
)


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
