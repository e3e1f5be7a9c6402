"""FLOPs of the metrics that judge a set of images as a whole, counted from how `fcr_core/metrics` computes them.

In FLOPs of a network: one of float64, with what is then made of the product, takes `FLOAT64` times as long.
"""

from __future__ import annotations

from collections.abc import Iterable

from fcr_core.statistics.prompt_groups import GROUPS

# Of 6,144 images of 2,048 numbers on one thread: precision and recall 28 GFLOP/s, KID 40; a float32 product 95 to 165.
FLOAT64 = 3
REPLICATES = GROUPS + 1
# d³ FLOPs of one Fréchet distance of moments: two products of matrices (4) and eigenvalues alone (about 8).
DISTANCE = 12
# Subsets of `frechet_infinity`, and their images over those of the set: sizes from a tenth on, evenly.
SUBSETS, SUBSET_IMAGES = 15, 15 * 0.55
# Halvings of the real images in `measure_real`.
HALVINGS = 20


def of_set(metric: str, images: int, real: int, width: int, replicates: int = 1) -> float:
    """FLOPs of a set of `images` against `real` ones, features of `width` numbers, and of it without each group in turn.

    Only what grows with a power: all pairs of images, once whatever is left out; or moments and distances of Gaussians.
    """
    moments = 2 * width**2 * (images + real)
    counted = {
        "kid": width * (images + real) ** 2,  # half of all pairs, 2 FLOPs a number
        "precision_recall": width * (images + real) ** 2,
        "joint_precision_recall": 2 * width * (images + real) ** 2,  # rows of an image and its caption
        "prompt_precision_recall": width * (images**2 + real**2),
        "cmmd": width * (images + real) ** 2,
        "inception_score": 0,  # linear in the images
        "class_score": 0,
        "frechet": moments + replicates * DISTANCE * width**3,
        "frechet_pca": moments,
        "frechet_infinity": replicates * (SUBSET_IMAGES * moments + SUBSETS * DISTANCE * width**3),
    }
    if metric not in counted:
        raise ValueError(f"metric {metric} has no cost: add it to fcr_core/planning/set_metric_costs.py")
    return FLOAT64 * float(counted[metric])


def of_variation(metric: str, images: int, seeds: int, real: int, width: int) -> float:
    """FLOPs of `measure_set`, `images` a seed: each seed by itself, and of a biased metric all seeds together."""
    if metric == "kid":
        return seeds * of_set(metric, images, real, width, REPLICATES)
    alone = seeds * of_set(metric, images, real, width) if seeds > 1 else 0
    return alone + of_set(metric, seeds * images, real, width, REPLICATES)


def of_halves(metrics: Iterable[str], real: int, width: int) -> float:
    """FLOPs of `measure_real`: one half of the real images against the other, again and again."""
    return HALVINGS * sum(of_set(metric, real // 2, real // 2, width) for metric in metrics)
