"""Turn PIL images into tensors, and cut a long list into batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from PIL import Image


def to_pixels(images: Sequence[Image.Image]) -> torch.Tensor:
    """Turn RGB images of one size into floats (B, 3, H, W) in -1..1."""
    return from_bytes(to_bytes(images))


def to_bytes(images: Iterable[Image.Image]) -> torch.Tensor:
    """Turn RGB images of one size into bytes (B, 3, H, W)."""
    return torch.from_numpy(np.stack([np.asarray(image) for image in images])).permute(0, 3, 1, 2).contiguous()


def from_bytes(pictures: torch.Tensor) -> torch.Tensor:
    """Turn bytes (B, 3, H, W) into floats in -1..1."""
    return pictures.float() / 127.5 - 1


def slices(count: int, size: int) -> list[slice]:
    """Return slices of `size` that cover `range(count)` in order. The last may be shorter.

    >>> slices(5, 2)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]
