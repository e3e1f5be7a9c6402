"""Networks that turn images into arrays, by name, and the spaces of images and captions. One entry adds one.

No torch here: Snakemake, the planner and the tables read this file. Extraction does not: a new entry reruns no extraction.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Network:
    """An extractor: the module `fcr_core.features.{name}` has `load(weights, device)`.

    Args:
        name: module of this package, value of `metrics.extractor`, and end of a column (`kid_effnet`).
        title: name for people.
        flops: FLOPs of one image.
        parameters: number of weights, text tower included.
        width: numbers of a pooled row, or of an embedding.
        classes: numbers of a row of logits; None if the network tells no classes.
        text_flops: FLOPs of one text; None without a text tower.
    """

    name: str
    title: str
    flops: float
    parameters: float
    width: int
    classes: int | None = None
    text_flops: float | None = None

    @property
    def arrays(self) -> tuple[str, ...]:
        """Kinds of rows that it gives: `image` beside a text tower; else `pool`, and `logits` if it tells classes."""
        if self.text_flops is not None:
            return ("image",)
        return ("pool", "logits") if self.classes else ("pool",)

    @property
    def row(self) -> int:
        """Numbers that it gives for one image."""
        return self.width + (self.classes or 0)


@dataclass(frozen=True)
class ImageTextSpace:
    """A space of images and captions, in which an image-text score, and metrics that ask for captions, are measured.

    Args:
        name: value of `metrics.image_text`, and end of a column (`embedding_drift_lit`).
        title: name for people.
        extractor: network whose features of images it takes.
        file: what holds its captions, below `results/`; {} stands for the data set.
        argument: option of the scripts that takes this file.
    """

    name: str
    title: str
    extractor: str
    file: str
    argument: str

    def path(self, dataset: str) -> str:
        """File of the space for a data set.

        >>> IMAGE_TEXT_SPACES["lit"].path("twemoji")
        'results/lit/twemoji.npz'
        """
        return f"results/{self.file.format(dataset)}"


# FLOPs: EfficientNet-lite0 0.41 GMAC at 224 px (its authors), here at 96 px; Inception-v3 5.7 GMAC (torchvision), ViT-L/14
# 81 GMAC, ViT-g/14 267 GMAC, and 23 for a text (open_clip's model profile). Weights: as published.
EXTRACTORS = {
    network.name: network
    for network in (
        Network("effnet", "EfficientNet-lite0", 0.81e9 * (96 / 224) ** 2, 4.7e6, width=1280, classes=1000),
        Network("inception", "Inception-v3", 11.4e9, 23.9e6, width=2048, classes=1008),
        Network("dinov2", "DINOv2", 162e9, 304e6, width=1024),
        Network("clip", "CLIP", 534e9, 1.37e9, width=1024, text_flops=47e9),
    )
}
IMAGE_TEXT_SPACES = {
    space.name: space
    for space in (
        ImageTextSpace("lit", "LiT", extractor="effnet", file="lit/{}.npz", argument="--lit"),
        ImageTextSpace("clip", "CLIP", extractor="clip", file="features/clip/texts/{}.npz", argument="--texts"),
    )
}
# Networks that compare two images and give no rows.
PAIR_NETWORKS = {"alex": "AlexNet"}


def network_title(name: str) -> str | None:
    """Name for people of what ends a column; None if no network or space has this name.

    >>> network_title("effnet"), network_title("lit"), network_title("low")
    ('EfficientNet-lite0', 'LiT', None)
    """
    found = EXTRACTORS.get(name) or IMAGE_TEXT_SPACES.get(name)
    return found.title if found else PAIR_NETWORKS.get(name)
