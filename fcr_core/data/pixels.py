"""PIL images as tensors, and a long list in batches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image


def to_pixels(images: Sequence[Image.Image]) -> torch.Tensor:
    """RGB images of one size -> float (B, 3, H, W) in -1..1."""
    array = np.stack([np.asarray(image, dtype=np.float32) for image in images])
    return torch.from_numpy(array / 127.5 - 1).permute(0, 3, 1, 2).contiguous()


def slices(count: int, size: int) -> list[slice]:
    """Slices of `size` that cover `range(count)` in order; the last may be shorter."""
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]
