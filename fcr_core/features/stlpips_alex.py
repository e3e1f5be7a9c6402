"""ST-LPIPS with AlexNet (Ghildyal & Liu, 2022): a perceptual distance that tolerates a shift by a pixel."""

from __future__ import annotations

from functools import cache

import numpy as np
import stlpips_pytorch.stlpips as stlpips
import torch
from PIL import Image

from fcr_core.data.pixels import slices, to_pixels
from fcr_core.metrics import st_lpips

NAME = st_lpips.METRIC.name("alex")
BATCH = 50
# Below it, nothing is left behind AlexNet's strides (measured).
SMALLEST = 21


@cache
def network(device: str = "cpu") -> torch.nn.Module:
    return stlpips.LPIPS(net="alex", variant="shift_tolerant", verbose=False).eval().to(device)


@torch.no_grad()
def distance(images: list[Image.Image], twins: list[Image.Image], *, device: str = "cpu") -> np.ndarray:
    """Compute the distance of each image to its twin (N,); 0 = the same.

    Raises `ValueError` unless each image has a twin, and all are of one size that AlexNet can take.
    """
    if not images or len(images) != len(twins):
        raise ValueError(f"st_lpips: {len(images)} images and {len(twins)} twins: each image needs its own")
    if len(sizes := {image.size for image in (*images, *twins)}) > 1:
        raise ValueError(f"st_lpips: images of several sizes: {sorted(sizes)}")
    if min(images[0].size) < SMALLEST:
        raise ValueError(
            f"st_lpips needs images of at least {SMALLEST} x {SMALLEST} pixels, not {images[0].width} x {images[0].height}"
        )
    values = []
    for part in slices(len(images), BATCH):
        pair = [to_pixels(pictures[part]).to(device) for pictures in (images, twins)]
        values.append(network(device)(*pair).flatten().cpu())
    return torch.cat(values).numpy()
