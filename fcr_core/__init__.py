"""Feature Consistency Regularization: the loss, and encoder-cached sampling for diffusers pipelines.

The three names a user meets first are imported on first use, so that metrics, statistics and configuration need no torch.
"""

from importlib import import_module
from typing import Any

_HOME = {
    "EncoderCache": "fcr_core.caching.encoder_cache",
    "KeySteps": "fcr_core.caching.plan",
    "feature_consistency_loss": "fcr_core.finetuning.consistency",
}
__all__ = ["EncoderCache", "KeySteps", "feature_consistency_loss"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'fcr_core' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
