"""The run that is planned: the configuration, its cells, and what the networks of each backbone cost. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any

from fcr_core.caching.key_search import evenly_spread
from fcr_core.caching.plan import KeySteps, Plan
from fcr_core.cost.plan_flops import sampling_flops
from fcr_core.data.registry import DATASETS
from fcr_core.experiment.backbone_settings import BackboneSettings
from fcr_core.experiment.cell import Cell, Model
from fcr_core.experiment.drawings import Drawing, drawings_of
from fcr_core.experiment.experiment import Experiment, distinct, experiments_of
from fcr_core.experiment.fine_tune import FineTune
from fcr_core.experiment.row import Row, fine_tune_of
from fcr_core.experiment.sampler import Sampler
from fcr_core.experiment.scenario import Scenario
from fcr_core.planning.network_costs import NetworkCosts
from fcr_core.sampling.launch import LAUNCH

# Bytes of a PNG: 6.5 kB a pocket sample (64 px, n = 104); at 512 px 0.4 MB, which is assumed.
PNG_BYTES_A_PIXEL = 1.6
UNCACHED = Plan(KeySteps.uniform(1))


class UnknownSize(ValueError):
    """The size of a data set that only its files say."""


@dataclass(frozen=True)
class PlannedRun:
    """All experiments of a configuration, and what an image costs on each of their backbones.

    Args:
        config: the configuration.
        experiments: by name.
        drawings: by the paths of cells.
        backbones: by name.
        fine_tunes: by backbone and recipe.
        costs_of: what the networks of a backbone cost at a side of its images in pixels.
    """

    config: Mapping[str, Any]
    experiments: Mapping[str, Experiment]
    drawings: Mapping[str, Drawing]
    backbones: Mapping[str, BackboneSettings]
    fine_tunes: Mapping[tuple[str, str], FineTune]
    costs_of: Callable[[BackboneSettings, int], NetworkCosts]

    @classmethod
    def from_config(cls, config: Mapping[str, Any], costs_of: Callable[[BackboneSettings, int], NetworkCosts]) -> PlannedRun:
        """Read every value from the configuration, as the Snakefile does."""
        experiments = experiments_of(config)
        chosen = {name: given.get("prompts") for name, given in config["datasets"].items()}
        drawings = drawings_of(experiments.values(), chosen)
        models = distinct(drawing.cell.model for drawing in drawings.values())
        backbones = {name: BackboneSettings.from_config(config, name) for name in distinct(model.backbone for model in models)}
        tunes = {(model.backbone, model.recipe): fine_tune_of(config, model) for model in models if model.recipe}
        return cls(config, experiments, drawings, backbones, tunes, costs_of)

    def networks(self, backbone: str, side: int | None = None) -> NetworkCosts:
        """Cost the networks of a backbone at a side of images in pixels, by default the backbone's own."""
        settings = self.backbones[backbone]
        return self.costs_of(settings, side or settings.size)

    def side_of(self, cell: Cell) -> int:
        """The side of a cell's images in pixels: that of its scenario, if it has one."""
        own = self.backbones[cell.model.backbone].size
        return Scenario.from_config(self.config, cell.setting.scenario).options.get("size", own)

    def networks_of(self, cell: Cell) -> NetworkCosts:
        return self.networks(cell.model.backbone, self.side_of(cell))

    @cached_property
    def rows(self) -> dict[str, Row]:
        """Rows by the paths of their cells: what is drawn beside them, to compare with, has none."""
        return {row.cell.path: row for experiment in self.experiments.values() for row in experiment.rows}

    @cached_property
    def models(self) -> dict[str, Model]:
        """Models by their paths."""
        return {drawing.cell.model.path: drawing.cell.model for drawing in self.drawings.values()}

    @cached_property
    def fine_tunes_of(self) -> dict[str, int]:
        """Number of fine-tunes of each model by its path: one a seed of its cells, and one of published weights."""
        seeds: dict[str, set[int]] = {path: set() for path in self.models}
        for drawing in self.drawings.values():
            seeds[drawing.cell.model.path].update(drawing.seeds)
        return {path: len(seeds[path]) if model.recipe else 1 for path, model in self.models.items()}

    @cached_property
    def searched(self) -> dict[tuple[str, str], Sampler]:
        """Samplers whose key steps are searched for, by backbone and name."""
        cells = [drawing.cell for drawing in self.drawings.values() if drawing.cell.sampler.wants_keys]
        return {(cell.model.backbone, cell.sampler.name): cell.sampler for cell in cells}

    def images_in(self, dataset: str, split: str) -> int:
        """Count the pictures of a split. Raises `UnknownSize` for a set whose size only its files say."""
        given = self.config["datasets"].get(dataset, {})
        if split == "train" and given.get("train_images"):
            return given["train_images"]
        if images := DATASETS[dataset].images:
            return images[split == "test"]
        if split == "test" and given.get("download"):
            return 0
        key = "train_images" if split == "train" else "prompts"
        if split == "test" and given.get(key):
            return given[key]
        raise UnknownSize(f"config key datasets.{dataset}.{key}: say how many images are used, to plan their cost")


def launched(images: int, networks: NetworkCosts, shard: int | None = None) -> int:
    """Count the images that are computed for so many: launches are filled up, those of every shard."""
    if not images:
        return 0
    size, shard = launch_size(networks), shard or images
    whole, rest = divmod(images, shard)
    return size * (whole * ceil(shard / size) + ceil(rest / size))


def launch_size(networks: NetworkCosts) -> int:
    """Images or clips a launch."""
    return max(1, LAUNCH // networks.frames)


def loop_flops(networks: NetworkCosts, sampler: Sampler) -> int:
    """UNet FLOPs of one image."""
    return sampling_flops(networks.unet, sampler.steps, counted_plan(sampler), sampler.guidance > 1)


def counted_plan(sampler: Sampler) -> Plan:
    """The plan whose passes are counted: key steps that have still to be chosen count as evenly spread ones."""
    if sampler.wants_keys:
        assert sampler.plan is not None and sampler.plan.keys.count is not None
        sampler = sampler.with_keys(evenly_spread(sampler.steps, sampler.plan.keys.count))
    return sampler.plan or UNCACHED


def longest_group(sampler: Sampler) -> int:
    """Steps of the sampler's longest group; 1 if nothing is cached."""
    return max(map(len, counted_plan(sampler).keys.groups(sampler.steps)))


def samplers_of(experiments: Iterable[Experiment], backbone: str) -> list[Sampler]:
    """The samplers of experiments on a backbone, each once: rows that differ in weights alone cost the same."""
    return distinct(row.cell.sampler for experiment in experiments for row in experiment.of_backbone(backbone))
