"""Predicted peak memory of every backbone that experiments use: a fine-tune step, sampling, and loading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fcr_core.experiment.backbone_settings import BackboneSettings
from fcr_core.experiment.experiment import Experiment, distinct
from fcr_core.experiment.fine_tune import FineTune
from fcr_core.experiment.sampler import Sampler
from fcr_core.planning.counted_networks import tokens_of
from fcr_core.planning.peak_memory import Networks, PeakMemory, finetune_memory, sampling_memory, vae_scale
from fcr_core.planning.planned_run import PlannedRun, counted_plan, launch_size, longest_group, samplers_of

# What of a fine-tune's training its memory depends on.
SHAPING = ("batch", "accumulate", "ema", "precision", "lora_rank", "gradient_checkpointing")


def networks_of(backbone: BackboneSettings) -> Networks:
    """The networks of a backbone, by configuration."""
    return Networks(backbone.location, backbone.registered.networks)


def peaks_of(run: PlannedRun, experiments: Sequence[Experiment], backbone: str) -> dict[str, PeakMemory]:
    """Predict the peaks of a backbone on the device: its largest fine-tune, and launches uncached and by its longest group."""
    networks, found = networks_of(run.backbones[backbone]), {}
    tokens = tokens_of(networks)
    if tune := largest_tune(run, experiments, backbone):
        training = {key: tune.training[key] for key in SHAPING if key in tune.training}
        options: dict[str, Any] = training | {"tokens": tokens, "streamed": not run.config["finetune"]["cache_latents"]}
        size = latent_side(networks, run.backbones[backbone].size)
        said = ", ".join(f"{key} {value}" for key, value in training.items())
        found[f"{backbone}: fine-tune {tune.label}, {said}"] = finetune_memory(networks, tune.parsed, size=size, **options)
    launch = launch_size(run.networks(backbone))
    for side in sides_of(run, experiments, backbone):
        for sampler in extremes(samplers_of(experiments, backbone)):
            name = f"{backbone}: sampling {sampler.name}, {side} px, {launch} at a time, fp32"
            found[name] = sampling_memory(
                networks, counted_plan(sampler), sampler.steps, launch, tokens, sampler.guidance > 1, run.config["device"],
                latent_side(networks, side),
            )  # fmt: skip
    return found


def largest_tune(run: PlannedRun, experiments: Sequence[Experiment], backbone: str) -> FineTune | None:
    """The fine-tune of a backbone that holds most: by batch, then by terms; None without any that can be predicted."""
    models = distinct(model for experiment in experiments for model in experiment.models if model.backbone == backbone)
    tunes = [run.fine_tunes[backbone, model.recipe] for model in models if model.recipe]
    tunes = [tune for tune in tunes if not tune.parsed.needs_trajectories]
    return max(tunes, key=lambda t: (t.training["batch"], bool(t.parsed.preserve), t.parsed.lam), default=None)


def sides_of(run: PlannedRun, experiments: Sequence[Experiment], backbone: str) -> list[int]:
    """The sides in pixels that experiments draw on a backbone."""
    return distinct(run.side_of(row.cell) for experiment in experiments for row in experiment.of_backbone(backbone))


def extremes(samplers: Sequence[Sampler]) -> list[Sampler]:
    """The samplers with the shortest groups and with the longest, once if they are the same."""
    return distinct([min(samplers, key=longest_group), max(samplers, key=longest_group)])


def latent_side(networks: Networks, side: int) -> int:
    """Numbers along a side of the latents of an image."""
    return side // vae_scale(networks.vae())
