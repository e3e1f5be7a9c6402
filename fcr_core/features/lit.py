"""LiT: two linear projections that align frozen EfficientNet-lite0 and MiniLM (Zhai et al., 2022, arXiv 2111.07991).

It takes the place of CLIP at pocket scale, under its own name: the images are emoji, and only the projections are trained.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import get_total_norm
from tqdm import trange

from fcr_core.training.finite import GRADIENTS, WEIGHTS, largest, not_finite

WIDTH = 128
TEMPERATURE = 0.07


def train(images: np.ndarray, texts: np.ndarray, concepts: list[str], steps: int, seed: int) -> dict[str, np.ndarray]:
    """Train projections `image` (1280, 128) and `text` (384, 128) by InfoNCE over one picture of every concept in a batch.

    `images` (N, 1280) and `texts` (N, 384) are row-aligned with `concepts`. Both inputs are scaled to unit variance.

    Raises `FloatingPointError` before a step that would spoil the projections.
    """
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    x, y = torch.from_numpy(images), torch.from_numpy(texts)
    scales = x.std(), y.std()
    towers = nn.Linear(x.shape[1], WIDTH, bias=False), nn.Linear(y.shape[1], WIDTH, bias=False)
    learning = [tower.weight for tower in towers]
    optimizer = torch.optim.AdamW(learning, lr=1e-3, weight_decay=0.1)
    ids = torch.from_numpy(np.unique(concepts, return_inverse=True)[1])
    for step in trange(steps, desc="LiT", unit="step"):
        rows = one_row_per_concept(ids, generator)[:512]
        a = F.normalize(towers[0](F.dropout(x[rows] / scales[0], 0.3)), dim=1)
        b = F.normalize(towers[1](F.dropout(y[rows] / scales[1], 0.3)), dim=1)
        logits = a @ b.T / TEMPERATURE
        target = torch.arange(len(rows))
        loss = F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)
        optimizer.zero_grad()
        loss.backward()
        gradients = get_total_norm([weight.grad for weight in learning if weight.grad is not None])
        numbers = (loss.detach(), gradients, largest(learning))
        if broken := not_finite(dict(zip(("the loss", GRADIENTS, WEIGHTS), torch.stack(numbers).tolist(), strict=True))):
            raise FloatingPointError(f"LiT: {broken} at step {step + 1}: look for features that are not finite, or all the same")
        optimizer.step()
    weights = [tower.weight.detach().T / scale for tower, scale in zip(towers, scales, strict=True)]
    return {"image": weights[0].numpy(), "text": weights[1].numpy()}


def one_row_per_concept(ids: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Choose rows in random order, at most one of each concept id."""
    order = torch.randperm(len(ids), generator=generator)
    _, inverse = torch.unique(ids[order], return_inverse=True)
    first = torch.full((int(inverse.max()) + 1,), len(order)).scatter_reduce(0, inverse, torch.arange(len(order)), "amin")
    return order[first[torch.randperm(len(first), generator=generator)]]
