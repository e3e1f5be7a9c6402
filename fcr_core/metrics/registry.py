"""All metrics by key, and what a column of a table means."""

from __future__ import annotations

import re

from fcr_core.metrics import (
    class_score,
    clip_score,
    cmmd,
    embedding_drift,
    frechet,
    frechet_infinity,
    frechet_pca,
    inception_score,
    kid,
    latent_mse,
    lit_score,
    precision_recall,
    prompt_precision_recall,
    psnr,
    ssim,
    st_lpips,
)
from fcr_core.metrics.metric import Metric, metrics_of

MODULES = (
    frechet,
    frechet_pca,
    frechet_infinity,
    kid,
    cmmd,
    inception_score,
    class_score,
    precision_recall,
    prompt_precision_recall,
    clip_score,
    lit_score,
    latent_mse,
    st_lpips,
    psnr,
    ssim,
    embedding_drift,
)
METRICS: dict[str, Metric] = {metric.key: metric for module in MODULES for metric in metrics_of(module)}


def describe(column: str) -> Metric:
    """The metric of a column `key`, `key_network`, or either with `_own` or `_base`; a network is one word of a-z and 0-9.

    >>> describe("frechet_pca64_effnet").title
    'Fréchet PCA-64'
    >>> describe("latent_mse_own").unit
    'latent variance'

    ValueError if no metric has that name.
    """
    name = re.sub("_(own|base)$", "", column)
    key = name if name in METRICS else re.sub("_[a-z0-9]+$", "", name)
    if key not in METRICS:
        raise ValueError(f"column {column}: no metric of fcr_core.metrics.registry has this name; it knows {', '.join(METRICS)}")
    return METRICS[key]
