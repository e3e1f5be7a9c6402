"""Facts that a configuration has to fit, of a backbone's networks, from the small JSON files of its folder. No torch.

A repository of the hub is not asked: its networks are those of `published_configs`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import lcm
from pathlib import Path
from typing import Any

from fcr_core.backbones.location import Location
from fcr_core.backbones.published_configs import NOISE_SCHEDULE, UNETS, VAE
from fcr_core.backbones.registry import Backbone

# The pipelines of diffusers take only sides that this number of pixels divides.
STEP = 8
# Blocks of a UNet of diffusers whose configuration does not say how many.
BLOCKS = 4


@dataclass(frozen=True)
class NetworkFacts:
    """The facts of networks that are known before they are loaded.

    Args:
        predicts: epsilon, v_prediction or sample.
        train_timesteps: length of the noise schedule that the UNet was trained on.
        blocks: down blocks of the UNet, and as many up blocks; None = not known.
        scale: pixels of an image's side for each number of its latent's side.
        side: of the images in pixels, if a folder says it; None = the registry's.
    """

    predicts: str
    train_timesteps: int
    blocks: int | None
    scale: int
    side: int | None

    @classmethod
    def of(cls, location: str, registered: Backbone) -> NetworkFacts:
        """Read the folder of a location, or what is published of the registered networks.

        Raises `ValueError`, which names the file, for one that is no JSON object.
        """
        folder = Path(Location.parse(location).base.source)
        own = read(folder / "unet" / "config.json")
        unet = own or UNETS.get(registered.networks or "", {})
        vae = read(folder / "vae" / "config.json") or (VAE if registered.networks else {})
        scheduler = read(folder / "scheduler" / "scheduler_config.json") or {"prediction_type": registered.objective}
        scale, size = 2 ** (len(vae.get("block_out_channels", (1,))) - 1), own.get("sample_size")
        return cls(
            scheduler.get("prediction_type", "epsilon"),
            (NOISE_SCHEDULE | scheduler)["num_train_timesteps"],
            blocks=len(unet.get("up_block_types", range(BLOCKS))) if unet else None,
            scale=scale,
            side=size * scale if isinstance(size, int) else None,
        )

    @property
    def unit(self) -> int:
        """Sides of images in pixels are multiples of it."""
        return lcm(STEP, self.scale)

    @property
    def encoder_blocks(self) -> list[str]:
        """Names of the blocks before the decoder, as `fcr_core.unet.encoder_features` has them."""
        return ["conv_in", *(f"down.{i}" for i in range(self.blocks or 0)), "mid"]


def read(file: Path) -> dict[str, Any]:
    """Return what a JSON file holds; nothing if it is not there."""
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{file} holds no JSON object")
    return found
