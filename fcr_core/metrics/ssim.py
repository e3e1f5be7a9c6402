"""Structural similarity of an image and its uncached twin, with the paper's Gaussian window of 11 pixels."""

from __future__ import annotations

import numpy as np

from fcr_core.metrics.metric import Metric
from fcr_core.metrics.rows import check_pixels

METRIC = Metric(
    key="ssim",
    title="SSIM",
    direction="higher",
    unit="",
    range=(-1, 1),
    needs="pixels",
    source="Wang et al., 2004, IEEE TIP 13(4)",
)
WINDOW = 11
# scikit-image's own default is a flat window of 7 pixels with unbiased covariances.
WANG = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255, "channel_axis": -1}


def check_window(images: np.ndarray) -> None:
    height, width = images.shape[1:3]
    if min(height, width) < WINDOW:
        raise ValueError(f"ssim needs images of at least {WINDOW} x {WINDOW} pixels, not {height} x {width}")


def per_image(images: np.ndarray, twins: np.ndarray) -> np.ndarray:
    """Compare uint8 RGB images (N, H, W, 3) x 2, H and W at least 11 -> (N,), mean over the channels; 1 = the same."""
    check_pixels("ssim", images, twins)
    check_window(images)
    from skimage.metrics import structural_similarity  # 1 second

    return np.array([structural_similarity(image, twin, **WANG) for image, twin in zip(images, twins, strict=True)])
