"""All metrics by key, and the modules that judge sets of images by name. The order is that of pages."""

from __future__ import annotations

from types import ModuleType

from fcr_core.metrics import (
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

METRICS: dict[str, Metric] = {}
# What `metrics.sets` of the configuration may name.
SETS: dict[str, ModuleType] = {}


def register(module: ModuleType) -> None:
    """Add the metrics of a module of this package; its file name is its name in the configuration.

    Raises `ValueError` for a metric of sets that does not say what it costs.
    """
    METRICS.update({metric.key: metric for metric in metrics_of(module)})
    if hasattr(module, "of_set") or hasattr(module, "per_prompt"):
        if not hasattr(module, "set_flops"):
            raise ValueError(f"{module.__name__} has no set_flops(images, real, width, replicates): say what the metric costs")
        SETS[module.__name__.split(".")[-1]] = module


for _module in (
    kid,
    frechet,
    frechet_pca,
    frechet_infinity,
    cmmd,
    inception_score,
    class_score,
    precision_recall,
    joint_precision_recall,
    prompt_precision_recall,
    lit_score,
    clip_score,
    latent_mse,
    st_lpips,
    psnr,
    ssim,
    embedding_drift,
):
    register(_module)


def in_image_text_space(name: str) -> bool:
    """Say if a module of `SETS` takes embeddings of images and captions, not the features of `metrics.extractor`."""
    return metrics_of(SETS[name])[0].in_image_text_space
