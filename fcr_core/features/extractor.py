"""The interface of every feature network, and the one loop that takes images through a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from fcr_core.data.pixels import slices
from fcr_core.jobs.job import sha256_of

# Rows a launch. Kernels round by the number of rows (1.4e-5 in a pooled feature of EfficientNet-lite0), so a launch always has
# this many: a short one is filled up, and no shard, order or number of images can change a bit.
LAUNCH = 32
PRECISIONS = ("fp32", "bf16")


class Extractor(Protocol):
    """A frozen network that turns images into rows.

    `resize` says how `preprocess` brings images to the network's size; `weights_sha256` is the checksum of the weight file.
    """

    name: str
    resize: str
    weights_sha256: str
    device: torch.device

    def preprocess(self, images: list[Image.Image]) -> torch.Tensor:
        """Turn RGB images of any size into the network's input (B, 3, H, W), on the CPU."""

    def __call__(self, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute rows by kind: `pool` (B, d), and `logits` (B, classes) if it has them; `image` (B, d) beside a text tower."""


class TextTower(Protocol):
    """The other half of an extractor that embeds images and texts in one space."""

    name: str
    device: torch.device

    def texts(self, texts: list[str]) -> torch.Tensor:
        """Embed texts (N, d), not normalised."""


def load(name: str, weights: str | None = None, device: str = "cpu") -> Extractor:
    """Load the extractor `name`, the module `fcr_core.features.{name}`, with its weights.

    `weights`: a path, or None for those that its package or the hub's cache holds. The module is found by its name and not in
    the registry, so that a new entry there reruns no extraction. Raises `ValueError` for a name of no extractor and for weights
    that are missing or not the right ones.
    """
    if find_spec(f"fcr_core.features.{name}") is None:
        raise ValueError(f"unknown extractor {name!r}: expected a module of fcr_core/features with a function `load`")
    return import_module(f"fcr_core.features.{name}").load(weights, device)


def extract(extractor: Extractor, images: Sequence[Image.Image], precision: str = "fp32") -> dict[str, np.ndarray]:
    """Extract rows (N, d), float32, aligned with RGB images. `Pictures` are opened launch by launch.

    `precision` is one of `PRECISIONS`.
    """

    def launch(part: Sequence[Image.Image]) -> dict[str, torch.Tensor]:
        batch = extractor.preprocess(list(part))
        filling = batch[-1:].expand(LAUNCH - len(batch), *batch.shape[1:])
        return extractor(torch.cat([batch, filling]).to(extractor.device))

    return _in_launches(launch, images, extractor, precision)


def extract_texts(tower: TextTower, texts: Sequence[str], precision: str = "fp32") -> np.ndarray:
    """Extract embeddings (N, d), float32, aligned with `texts`."""

    def launch(part: Sequence[str]) -> dict[str, torch.Tensor]:
        return {"text": tower.texts([*part, *[""] * (LAUNCH - len(part))])}

    return _in_launches(launch, texts, tower, precision)["text"]


@torch.inference_mode()
def _in_launches(
    launch: Callable[[Any], dict[str, torch.Tensor]], items: Sequence[Any], network: Extractor | TextTower, precision: str
) -> dict[str, np.ndarray]:
    """Collect the rows of all launches. In fp32, TF32 is off and cuDNN takes only repeatable kernels."""
    if precision not in PRECISIONS:
        raise ValueError(f"unknown precision {precision!r}: expected one of {list(PRECISIONS)}")
    rows: dict[str, list[np.ndarray]] = {}
    reduced = torch.autocast(network.device.type, dtype=torch.bfloat16, enabled=precision == "bf16")
    with reduced, torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        for part in tqdm(slices(len(items), LAUNCH), desc=network.name, unit="launch"):
            for key, values in launch(items[part]).items():
                rows.setdefault(key, []).append(values[: part.stop - part.start].float().cpu().numpy())
    return {key: np.concatenate(parts) for key, parts in rows.items()}


def record_of(extractor: Extractor, precision: str) -> dict[str, str]:
    """Record the facts that two sets of features must share to be compared."""
    return {
        "extractor": extractor.name,
        "weights_sha256": extractor.weights_sha256,
        "resize": extractor.resize,
        "precision": precision,
    }


def checked_weights(name: str, path: Path, sha256: str | None = None) -> str:
    """Return the checksum of a weight file. Raises `ValueError` if the file is missing or not the `sha256` that is expected."""
    if not path.is_file():
        raise ValueError(f"no weights of {name} at {path}: put the file there or name another")
    found = sha256_of(path)
    if sha256 not in (None, found):
        raise ValueError(f"{path} is not the weight file of {name}: expected sha256 {sha256}, found {found}")
    return found
