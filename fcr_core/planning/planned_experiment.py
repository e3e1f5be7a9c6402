"""What the costs of an experiment's jobs depend on: its configuration, rows, networks, and how many images it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from fcr_core.caching.key_search import evenly_spread
from fcr_core.caching.plan import KeySteps, Plan
from fcr_core.cost.flops import sampling_flops
from fcr_core.experiment.rows import FineTune, Variation
from fcr_core.planning.network_costs import NetworkCosts
from fcr_core.sampling.samples import LAUNCH

# (train, test) images of the sets by their official splits (docs/data.md); the emoji counted.
IMAGES = {
    "twemoji": (3459, 491), "noto": (2844, 462), "coco": (0, 40504), "flickr30k": (0, 31783), "imagenet": (0, 50000),
    "artbench": (50000, 10000), "partiprompts": (0, 1632),
}  # fmt: skip
# Of a PNG: 6.5 kB a pocket sample (64 px, n = 104); at 512 px 0.4 MB, which is assumed.
PNG_BYTES_A_PIXEL = 1.6


@dataclass(frozen=True)
class Experiment:
    """Configuration, networks, all sampled rows, twins (rows sampled on fewer prompts), the tables' rows, and fine-tunes."""

    config: dict[str, Any]
    networks: NetworkCosts
    sampled: Mapping[str, Variation]
    twins: Mapping[str, Variation]
    tables: Mapping[str, Mapping[str, Variation]]
    tunes: Mapping[str, FineTune]

    def launched(self, images: int, shard: int | None = None) -> int:
        """Images that are computed for so many: launches are filled up, those of every shard."""
        size, shard = max(1, LAUNCH // self.networks.frames), shard or images
        whole, rest = divmod(images, shard)
        return size * (whole * ceil(shard / size) + ceil(rest / size))

    def sampling(self, plan: Plan, steps: int | None = None) -> int:
        """UNet FLOPs of one image."""
        section = self.config["sampling"]
        return sampling_flops(self.networks.unet, steps or section["steps"], plan, section["guidance"] > 1)

    def images_of(self, variation: str) -> int:
        return self.config["sampling"]["twin_prompts"] if variation in self.twins else self.config["data"]["prompts"]

    def images_in(self, dataset: str, split: str) -> int:
        """Raises `ValueError` for a set whose size only its files say."""
        laion = (self.config["data"].get("laion", {}).get("images", 0), 0)
        if dataset not in IMAGES and dataset != "laion":
            count = self.config["data"].get("train_images")
            if split == "train" and count:
                return count
            raise ValueError(f"config key data.train_images: say how many images of {dataset} are used, to plan their cost")
        return (IMAGES | {"laion": laion})[dataset][split == "test"]

    def png(self, images: int) -> float:
        return images * self.networks.pixels * PNG_BYTES_A_PIXEL

    @property
    def seeds(self) -> int:
        return len(self.config["seeds"])


def plan_of_row(row: Variation) -> Plan:
    """Chosen key steps count as evenly spread ones."""
    keys = KeySteps.explicit(evenly_spread(row.steps, row.keys)) if row.keys else KeySteps.uniform(row.stride or 1)
    return Plan(keys, row.cut, row.reuse, row.nodes)


def grid_plan(plan: dict[str, Any]) -> Plan:
    return Plan(KeySteps.uniform(plan["stride"]), plan["cut"], plan["reuse"], plan["nodes"])
