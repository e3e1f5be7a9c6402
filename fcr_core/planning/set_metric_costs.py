"""FLOPs of the metrics that judge a set of images as a whole: how often each is computed. Its own FLOPs are beside its formula.

In FLOPs of a network: one of float64, with what is then made of the product, takes `FLOAT64` times as long.
"""

from __future__ import annotations

from collections.abc import Iterable

from fcr_core.metrics.metric import metrics_of
from fcr_core.metrics.registry import SETS
from fcr_core.statistics.prompt_groups import GROUPS

# Of 6,144 images of 2,048 numbers on one thread: precision and recall 28 GFLOP/s, KID 40; a float32 product 95 to 165.
FLOAT64 = 3
REPLICATES = GROUPS + 1
# Halvings of the real images in `measure_real`.
HALVINGS = 20


def of_set(metric: str, images: int, real: int, width: int, replicates: int = 1) -> float:
    """FLOPs of a set of `images` against `real` ones, features of `width` numbers, and of it without each group in turn.

    Only what grows with a power: all pairs of images, once whatever is left out; or moments and distances of Gaussians.
    """
    return FLOAT64 * float(SETS[metric].set_flops(images, real, width, replicates))


def of_variation(metric: str, images: int, seeds: int, real: int, width: int) -> float:
    """FLOPs of `measure_set`, `images` a seed: each seed by itself, and of a biased metric all seeds together."""
    if metrics_of(SETS[metric])[0].unbiased:
        return seeds * of_set(metric, images, real, width, REPLICATES)
    alone = seeds * of_set(metric, images, real, width) if seeds > 1 else 0
    return alone + of_set(metric, seeds * images, real, width, REPLICATES)


def of_halves(metrics: Iterable[str], real: int, width: int) -> float:
    """FLOPs of `measure_real`: one half of the real images against the other, again and again."""
    return HALVINGS * sum(of_set(metric, real // 2, real // 2, width) for metric in metrics)
