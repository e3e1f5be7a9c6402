"""DINOv2 (Oquab et al., arXiv 2304.07193): the CLS token, for the Fréchet distance that agrees best with human raters.

Stein et al. (NeurIPS 2023, arXiv 2306.04675) measured this, with ViT-L/14.
"""

from __future__ import annotations

from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from PIL import Image
from transformers import BitImageProcessorPil, Dinov2Model

from fcr_core.backbones.location import Repository
from fcr_core.features.extractor import Extractor, checked_weights

MODEL = Repository("facebook/dinov2-large", "47b73eefe95e8d44ec3623f8890bd894b6ea2d6c")
FILE = "model.safetensors"


class Dinov2:
    """DINOv2: `pool` (B, d) is the CLS token after the last layer norm, d = 1024 for ViT-L."""

    name = "dinov2"

    def __init__(self, folder: Path, device: str) -> None:
        self.weights_sha256 = checked_weights(self.name, folder / FILE)
        self.device = torch.device(device)
        self.processor = BitImageProcessorPil.from_pretrained(folder)
        self.network = Dinov2Model.from_pretrained(folder).eval().requires_grad_(False).to(self.device)
        size, crop = self.processor.size["shortest_edge"], self.processor.crop_size
        kernel = Image.Resampling(self.processor.resample).name.lower()
        self.resize = f"PIL {kernel} with antialias, uint8, shortest edge {size}, centre crop {crop['width']}x{crop['height']}"

    def preprocess(self, images: list[Image.Image]) -> torch.Tensor:
        """Turn RGB images into (B, 3, H, W), normalised as the folder's `preprocessor_config.json` says."""
        return self.processor(images, return_tensors="pt")["pixel_values"]

    def __call__(self, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"pool": self.network(batch).pooler_output}


def load(weights: str | None = None, device: str = "cpu") -> Extractor:
    """Load the network from a folder of `save_pretrained`, or from a hub id, `id[@revision]`."""
    return Dinov2(folder_of(Repository.parse(weights) if weights else MODEL), device)


def folder_of(weights: Repository) -> Path:
    """Find the folder itself, or the hub's cached copy. Raises `ValueError` if there is neither."""
    if Path(weights.source).is_dir():
        return Path(weights.source)
    files = ["config.json", "preprocessor_config.json", FILE]
    try:
        return Path(snapshot_download(weights.source, revision=weights.revision, allow_patterns=files))
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"no weights of dinov2 at {weights}: neither a folder nor a model that the hub gives ({reason})"
        ) from error
