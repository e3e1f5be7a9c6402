"""Cost of a backbone's networks by image: a table of the published ones, and any folder by its size. No torch.

Rules ask here while the DAG is built. `fcr_core.planning.counted_networks` counts the same exactly, with torch and in seconds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

from fcr_core.backbones.location import Location
from fcr_core.cost.plan_flops import UNetFlops
from fcr_core.experiment.backbone_settings import BackboneSettings

# Written by `python -m benchmarks.network_table`: every UNet of `published_configs`, and that of models/pocket.
TABLE = Path(__file__).with_name("networks.json")
# Networks of our own, which have no published name, are of this kind.
OWN = "pocket"


@dataclass(frozen=True)
class NetworkCosts:
    """Cost of one image, or of one clip of `frames`.

    Args:
        unet: FLOPs of a UNet pass by part.
        decode: FLOPs that the VAE needs to decode it.
        encode: FLOPs that the VAE needs to encode it.
        parameters: number of weights of the UNet.
        others: number of weights of the VAE and the text encoder.
        latent: numbers in its latent.
        text: numbers in the embedding of its prompt.
        pixels: pixels of the image, or of all frames.
        frames: frames of a clip; 1 for images.
    """

    unet: UNetFlops
    decode: int
    encode: int
    parameters: int
    others: int
    latent: int
    text: int
    pixels: int
    frames: int = 1

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> NetworkCosts:
        """Read what `dataclasses.asdict` made."""
        return cls(**fields | {"unet": UNetFlops(**fields["unet"])})

    def at(self, side: int) -> NetworkCosts:
        """Scale to images of another side, by area. Attention grows faster, so at 1024 px more is true than is said here."""
        area = side**2 * self.frames / self.pixels
        sizes = {name: round(area * getattr(self, name)) for name in ("decode", "encode", "latent", "pixels")}
        return replace(self, unet=self.unet.scaled(area), **sizes)

    def of_size(self, parameters: int) -> NetworkCosts:
        """Scale to a UNet of the same kind with another number of weights: FLOPs go with them."""
        factor = parameters / self.parameters
        return replace(self, unet=self.unet.scaled(factor), parameters=parameters)


@cache
def table() -> dict[str, NetworkCosts]:
    """Read the table: costs by published name, each at its UNet's own size."""
    return {name: NetworkCosts.from_json(fields) for name, fields in json.loads(TABLE.read_text()).items()}


@cache
def known_costs(backbone: BackboneSettings, side: int) -> NetworkCosts:
    """Estimate the networks of a backbone at a side of its images in pixels, near enough for memory and time of a job.

    A folder with another number of weights than the published UNet counts in proportion. Nothing is downloaded.
    """
    known = table()[backbone.registered.networks or OWN]
    parameters = parameters_in(Path(Location.parse(backbone.location).base.source) / "unet")
    return (known.of_size(parameters) if parameters else known).at(side)


def parameters_in(folder: Path) -> int:
    """Count the numbers in the safetensors files of a folder by their headers; 0 if it has none."""
    return sum(prod(tensor["shape"]) for file in folder.glob("*.safetensors") for tensor in header(file).values())


def header(file: Path) -> dict[str, Any]:
    """Read the description of each tensor of a safetensors file: 8 bytes say how long it is."""
    with file.open("rb") as content:
        described = json.loads(content.read(int.from_bytes(content.read(8), "little")))
    return {name: tensor for name, tensor in described.items() if name != "__metadata__"}
