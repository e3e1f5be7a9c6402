"""Peak signal-to-noise ratio between an image and its uncached twin."""

from __future__ import annotations

import numpy as np

from fcr_core.metrics.metric import Metric
from fcr_core.metrics.rows import check_pixels

METRIC = Metric(
    key="psnr",
    title="PSNR",
    direction="higher",
    unit="dB",
    range=(0, float("inf")),
    needs="pixels",
    source="10 log10(255² / MSE)",
)


def per_image(images: np.ndarray, twins: np.ndarray) -> np.ndarray:
    """Compare uint8 RGB images (N, H, W, 3) x 2 -> (N,).

    Equal images get the finite PSNR of images that differ in one value by one level (89 dB at 64 x 64).
    """
    check_pixels("psnr", images, twins)
    from skimage.metrics import peak_signal_noise_ratio  # 1 second

    with np.errstate(divide="ignore"):
        values = [peak_signal_noise_ratio(twin, image, data_range=255) for image, twin in zip(images, twins, strict=True)]
    return np.minimum(values, 10 * np.log10(255**2 * images[0].size))
