"""clean-fid's Inception-v3: the network and the resize behind FID, KID and the Inception Score (Parmar et al., CVPR 2022).

The weights are NVIDIA's TorchScript translation of Google's `inception-2015-12-05`. clean-fid downloads them to /tmp and trusts
what is there. Here the file is an input, and its checksum is verified.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from cleanfid.resize import build_resizer
from PIL import Image

from fcr_core.features.extractor import Extractor, checked_weights

FILE = "inception-2015-12-05.pt"
URL = f"https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/{FILE}"
# The file at `URL` has 95,607,719 bytes; k-diffusion checks the same digest.
SHA256 = "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4"


class Inception:
    """Inception-v3: `pool` (B, 2048) as in clean-fid's mode "clean", and `logits` (B, 1008) for the Inception Score."""

    name = "inception"
    resize = "clean-fid clean: PIL bicubic with antialias, float32, squashed to 299x299"

    def __init__(self, weights: Path, device: str, sha256: str) -> None:
        self.weights_sha256 = checked_weights(self.name, weights, sha256)
        self.device = torch.device(device)
        self.network = torch.jit.load(weights, map_location=self.device).eval()
        self.resizer = build_resizer("clean")

    def preprocess(self, images: list[Image.Image]) -> torch.Tensor:
        """Turn RGB images into (B, 3, 299, 299) in -1..1: (x - 128) / 128."""
        resized = np.stack([self.resizer(np.asarray(image)) for image in images])
        return (torch.from_numpy(resized).permute(0, 3, 1, 2).contiguous() - 128) / 128

    def __call__(self, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        pool = self.network.layers(batch).flatten(1)
        # The Inception Score is defined without the bias of the last layer (Salimans et al., 2016; torch-fidelity's
        # `logits_unbiased`).
        return {"pool": pool, "logits": F.linear(pool, self.network.output.weight)}


def load(weights: str | None = None, device: str = "cpu", sha256: str = SHA256) -> Extractor:
    """Load the network from the file `weights`. Raises `ValueError` if that is not the published file."""
    if weights is None:
        raise ValueError(f"the extractor inception needs its weight file (metrics.weights): download {URL}")
    return Inception(Path(weights), device, sha256)
