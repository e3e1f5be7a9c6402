"""CLIP by open_clip: image and text embeddings for CLIPScore and CMMD.

The default is the field's reference, ViT-g/14 (as in BK-SDM and DeepCache). It is not the text encoder that SD v1 itself uses.
"""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

from fcr_core.features.extractor import checked_weights

MODEL = "ViT-g-14"
TAG = "laion2b_s34b_b88k"


class Clip:
    """CLIP: `image` (B, d) and `texts` (N, d), in one space, not normalised."""

    name = "clip"

    def __init__(self, model: str, weights: Path, preprocessing: dict, device: str) -> None:
        import open_clip  # 8 seconds

        self.weights_sha256 = checked_weights(self.name, weights)
        self.device = torch.device(device)
        self.network, self.transform = open_clip.create_model_from_pretrained(
            model, pretrained=str(weights), device=self.device,
            **{f"image_{key}": preprocessing.get(key) for key in ("mean", "std", "interpolation", "resize_mode")},
        )  # fmt: skip
        self.network.eval().requires_grad_(False)
        self.tokenizer = open_clip.get_tokenizer(model)
        used = self.network.visual.preprocess_cfg
        self.resize = f"open_clip {used['resize_mode']} {used['size']}: PIL {used['interpolation']} with antialias, uint8"

    def preprocess(self, images: list[Image.Image]) -> torch.Tensor:
        """Turn RGB images into (B, 3, H, W), normalised as the weights were trained."""
        return torch.stack([self.transform(image) for image in images])

    def __call__(self, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"image": self.network.encode_image(batch)}

    def texts(self, texts: list[str]) -> torch.Tensor:
        return self.network.encode_text(self.tokenizer(texts).to(self.device))


def load(weights: str | None = None, device: str = "cpu", model: str = MODEL, tag: str | None = TAG) -> Clip:
    """Load the architecture `model` with the weights that open_clip publishes as `tag`, from the file `weights` or the hub.

    Pass `tag=None` for a file that open_clip does not list. Raises `ValueError` if model and tag do not fit.
    """
    published = tag_config(model, tag) if tag else {}
    if weights is None:
        from open_clip import download_pretrained

        weights = download_pretrained(published)
    return Clip(model, Path(weights), published, device)


def tag_config(model: str, tag: str) -> dict:
    """Look up open_clip's configuration of the weights `tag`.

    Raises `ValueError` if they were trained with another activation than `model` has. open_clip only warns, and its features
    are then wrong.
    """
    from open_clip import get_model_config, get_pretrained_cfg, list_pretrained_models_by_tag

    plain = model.removesuffix("-quickgelu")
    published = get_pretrained_cfg(plain, tag)
    if not published:
        raise ValueError(f"open_clip has no weights {tag!r} for {model}; it has them for {list_pretrained_models_by_tag(tag)}")
    right = f"{plain}-quickgelu" if published.get("quick_gelu", False) else plain
    if (get_model_config(model) or {}).get("quick_gelu", False) != published.get("quick_gelu", False):
        raise ValueError(f"QuickGELU mismatch: the weights {tag!r} are not of the model {model}: use {right}")
    return published
