"""The checks of a configuration against the networks of its backbones: cuts, steps, timesteps, sizes, what can be learned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fcr_core.caching.plan import Plan
from fcr_core.experiment.backbone_settings import BackboneSettings
from fcr_core.experiment.config_error import ConfigError, require
from fcr_core.experiment.experiment import Experiment
from fcr_core.experiment.fine_tune import FineTune, max_delta_in_train_steps
from fcr_core.experiment.product import RowOfConfig
from fcr_core.experiment.recipe import Recipe
from fcr_core.experiment.row import Row, fine_tune_of, given_rows, sampler_of
from fcr_core.experiment.sampler import SOLVERS, Sampler

GROUPS_OF_BLOCKS = ("early", "late")


def check_backbones(config: Mapping[str, Any]) -> None:
    """Folders hold pipelines of the size that their entries say; no Δ reaches beyond a noise schedule."""
    for name, entry in config["backbones"].items():
        at = f"backbones.{name}"
        settings = BackboneSettings.from_config(config, name)
        try:
            facts = settings.facts
        except ValueError as error:
            raise ConfigError(f"config key {at}: {error}") from None
        if "source" in entry:
            whole = (Path(entry["source"]) / "unet" / "config.json").is_file()
            require(f"{at}.source", entry["source"], whole, "holds no pipeline in diffusers' layout: unet/config.json is missing")
        fits = facts.side in (None, settings.size)
        allowed = f"its UNet draws {facts.side} px: another size is a scenario (docs/scenarios.md)"
        require(f"{at}.size", settings.size, fits, allowed)
        check_deltas(config, name, facts.train_timesteps)


def check_deltas(config: Mapping[str, Any], backbone: str, timesteps: int) -> None:
    """Every Δ, of fine-tunes and of feature variance, is below the number of training timesteps."""
    below = f"must be below {timesteps}, the training timesteps of {backbone}"
    section, steps = config["finetune"], config["sampling"]["steps"]
    key, delta = "finetune.max_delta", section["max_delta"]
    if section["delta_unit"] == "sampling_steps":
        require(key, delta, delta < steps, f"must be below sampling.steps = {steps}: no two steps are further apart")
    require(key, delta, max_delta_in_train_steps(config, timesteps) < timesteps, below)
    for name, recipe in config["recipes"].items():
        require(f"recipes.{name}.max_delta", recipe.get("max_delta"), recipe.get("max_delta", 0) < timesteps, below)
    for i, delta in enumerate(config["metrics"]["deltas"]):
        require(f"metrics.deltas[{i}]", delta, delta < timesteps, below)


def check_rows(config: Mapping[str, Any], name: str) -> None:
    """Each row of an experiment can be drawn by its backbone, at the size of its scenario."""
    backbones = {backbone: BackboneSettings.from_config(config, backbone) for backbone in config["backbones"]}
    cost = config["experiments"][name].get("cost") or {}
    rows = given_rows(config, name)
    for given in rows:
        check_row(given, config, backbones[given.fields["backbone"]])
    for backbone in dict.fromkeys(given.fields["backbone"] for given in rows):
        for i, side in enumerate(cost.get("sizes", [])):
            check_size(f"experiments.{name}.cost.sizes[{i}]", side, backbones[backbone])


def check_row(given: RowOfConfig, config: Mapping[str, Any], backbone: BackboneSettings) -> None:
    """Its steps, key steps, cut and nodes fit one another and the networks."""
    fields, facts = given.fields, backbone.facts
    scenario = fields["scenario"]
    if side := (config["scenarios"][scenario] or {}).get("size"):
        check_size(f"scenarios.{scenario}.size", side, backbone)
    both = {"keys", "warmup"} <= fields.keys() and fields["warmup"]
    require(given.key("warmup"), fields.get("warmup"), not both, "goes with a stride: with keys it says nothing")
    sampler = sampler_of(given, backbone.sampling(config))
    key = given.key("steps") if "steps" in fields else "sampling.steps"
    below = facts.train_timesteps
    require(key, sampler.steps, sampler.steps < below, f"must be below {below}, the training timesteps of {backbone.name}")
    most = SOLVERS[sampler.scheduler].most_steps or below
    require(key, sampler.steps, sampler.steps <= most, f"must be at most {most} with scheduler {sampler.scheduler}")
    if sampler.plan is not None:
        check_plan(given, sampler, sampler.plan, backbone)


def check_plan(given: RowOfConfig, sampler: Sampler, plan: Plan, backbone: BackboneSettings) -> None:
    """The plan of a cached sampler leaves something to reuse, and something that reuses it."""
    warmup = plan.keys.warmup
    allowed = f"must be below the sampling steps, {sampler.steps}: no step would reuse anything"
    require(given.key("warmup"), warmup, warmup < sampler.steps, allowed)
    check_cut(given.key("cut"), plan.cut, backbone)
    count = plan.keys.count
    longest = sampler.steps - count + 1 if count else max(map(len, plan.keys.groups(sampler.steps)))
    allowed = f"must be at most {longest}, the steps of the longest group; null = all"
    require(given.key("nodes"), plan.nodes, plan.nodes is None or plan.nodes <= longest, allowed)


def check_cut(key: str, cut: int, backbone: BackboneSettings) -> None:
    blocks = backbone.facts.blocks
    allowed = f"must be below {blocks}, the up blocks of {backbone.name}"
    require(key, cut, blocks is None or cut < blocks, allowed)


def check_size(key: str, side: int, backbone: BackboneSettings) -> None:
    """The pipeline takes, and the VAE makes, images of this side in pixels."""
    unit = backbone.facts.unit
    require(key, side, side % unit == 0, f"must be a multiple of {unit}, as the pipeline and the VAE of {backbone.name} want it")


def check_fine_tunes(config: Mapping[str, Any], experiments: Iterable[Experiment]) -> None:
    """Each fine-tune of a row can be trained on its backbone, and key steps that have still to be chosen can be searched for."""
    backbones = {name: BackboneSettings.from_config(config, name) for name in config["backbones"]}
    for experiment in experiments:
        for row in experiment.rows:
            check_searched(f"experiments.{experiment.name}.rows", row, backbones[row.cell.model.backbone])
        for model in experiment.models:
            if model.recipe is not None:
                check_fine_tune(config, fine_tune_of(config, model), backbones[model.backbone])


def check_searched(at: str, row: Row, backbone: BackboneSettings) -> None:
    """Key steps are searched for on trajectories, which not every backbone has."""
    if row.cell.sampler.wants_keys:
        able = backbone.facts.predicts == "epsilon" and backbone.registered.task == "text2image"
        allowed = f"a search needs trajectories, which {backbone.name} does not have: give a stride or the key steps themselves"
        require(at, row.name, able, allowed)


def check_fine_tune(config: Mapping[str, Any], tune: FineTune, backbone: BackboneSettings) -> None:
    """Its groups are no longer than the sampler's run, its blocks are there, and the backbone can learn it."""
    at, steps, recipe = f"recipes.{tune.name}", config["sampling"]["steps"], tune.parsed
    in_groups = recipe.times == "groups" or recipe.needs_trajectories
    fits = not in_groups or 2 <= recipe.stride <= steps
    require(f"{at}.stride", recipe.stride, fits, f"must be 2 to sampling.steps = {steps}: its pairs are of such groups")
    check_cut(f"{at}.cut", recipe.plan.cut, backbone)
    check_blocks(at, recipe, backbone)
    predicts = backbone.facts.predicts
    learns = not (recipe.needs_trajectories or tune.validated) or predicts == "epsilon"
    require(
        at, tune.recipe, learns, f"needs trajectories, which a backbone that predicts {predicts} ({backbone.name}) does not have"
    )
    gpus, accumulate = config["finetune"].get("gpus", 1), tune.training.get("accumulate", 1)
    require("finetune.gpus", gpus, accumulate % gpus == 0, f"must divide the accumulate of {tune.name}, {accumulate}")


def check_blocks(at: str, recipe: Recipe, backbone: BackboneSettings) -> None:
    """The blocks whose features are compared are blocks before the cut, or groups of them."""
    if backbone.facts.blocks is None:
        return
    cut = recipe.plan.cut
    known = [*GROUPS_OF_BLOCKS, *backbone.facts.encoder_blocks, *(f"up.{i}" for i in range(cut))]
    for i, block in enumerate(recipe.blocks):
        require(f"{at}.blocks[{i}]", block, block in known, f"must be one of {', '.join(known)} on {backbone.name}")
