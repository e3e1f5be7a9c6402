"""All metrics by key, and what a column of a table means."""

from __future__ import annotations

import re

from fcr_core.metrics import (
    class_precision_recall,
    class_score,
    clip_score,
    cmmd,
    embedding_drift,
    frechet,
    frechet_infinity,
    frechet_pca,
    inception_score,
    joint_precision_recall,
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
    joint_precision_recall,
    class_precision_recall,
    prompt_precision_recall,
    clip_score,
    lit_score,
    latent_mse,
    st_lpips,
    psnr,
    ssim,
    embedding_drift,
)
# Networks by the name that ends a column.
NETWORKS = {
    "effnet": "EfficientNet-lite0",
    "inception": "Inception-v3",
    "dinov2": "DINOv2",
    "clip": "CLIP",
    "lit": "LiT",
    "alex": "AlexNet",
}
METRICS: dict[str, Metric] = {metric.key: metric for module in MODULES for metric in metrics_of(module)}


def describe(column: str) -> Metric:
    """The metric of a column `key`, `key_network`, or either with `_own` or `_base`; networks are those of `NETWORKS`.

    >>> describe("frechet_pca64_effnet").title
    'Fréchet PCA-64'
    >>> describe("latent_mse_own").unit
    'latent variance'

    ValueError if no metric has that name.
    """
    key = key_of(column)
    if key is None:
        raise ValueError(f"column {column}: no metric of fcr_core.metrics.registry has this name; it knows {', '.join(METRICS)}")
    return METRICS[key]


def key_of(column: str) -> str | None:
    """The formula of a column; None if it is of no metric.

    >>> key_of("kid_effnet"), key_of("variation")
    ('kid', None)
    """
    name = re.sub("_(own|base)$", "", column)
    key, _, network = name.rpartition("_")
    if name in METRICS:
        return name
    return key if key in METRICS and network in NETWORKS else None


def label(column: str) -> str:
    """Title, network and twin of a column, for people.

    >>> label("kid_effnet"), label("st_lpips_alex_own")
    ('KID (EfficientNet-lite0)', 'ST-LPIPS (AlexNet) to own uncached')
    """
    title, network = describe(column).title, re.sub("_(own|base)$", "", column).split("_")[-1]
    twin = re.search("_(own|base)$", column)
    shown = f"{title} ({NETWORKS[network]})" if network in NETWORKS else title
    return f"{shown} to {twin[1]} uncached" if twin else shown
