"""A configuration is checked against the networks of its backbones before anything runs."""

import json
import shutil

import pytest

from fcr_core.experiment.fine_tune import FineTune
from fcr_core.experiment.schema import check

from ..workspace import ROOT
from .test_schema import DEFAULT, exp1, merged, message

SD15 = {"backbones": {"sd15": {"train": "twemoji"}}}


@pytest.fixture
def short_schedule(tmp_path):
    """A backbone that was trained on 400 timesteps and has no file of weights."""
    folder = tmp_path / "short"
    shutil.copytree(ROOT / "models" / "pocket", folder, ignore=shutil.ignore_patterns("*.safetensors"))
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"num_train_timesteps": 400}))
    return {"backbones": {"short": {"like": "pocket", "source": str(folder), "train": "twemoji"}}}


@pytest.mark.parametrize(
    "change, key, allowed",
    [
        (exp1({"stride": 5, "cut": 3}), "experiments.exp1.rows[2].cut = 3", "below 3, the up blocks of pocket"),
        (exp1({"stride": 5, "cut": [0, 9]}), "experiments.exp1.rows[2].cut[1] = 9", "below 3"),
        (merged(SD15, exp1({"stride": 5, "cut": [3, 4]}, backbones=["sd15"])), "experiments.exp1.rows[2].cut[1] = 4", "below 4"),
        ({"recipes": {"cut2": {"cut": 7}}}, "recipes.cut2.cut = 7", "below 3, the up blocks of pocket"),
        (exp1({"stride": 5, "warmup": 50}), "experiments.exp1.rows[2].warmup = 50", "below the sampling steps, 50"),
        (exp1({"keys": 10, "warmup": 2}), "experiments.exp1.rows[2].warmup = 2", "goes with a stride"),
        (exp1({"stride": 5, "nodes": 6}), "experiments.exp1.rows[2].nodes = 6", "at most 5, the steps of the longest group"),
        (exp1({"steps": 4, "stride": 4, "nodes": 5}), "experiments.exp1.rows[2].nodes = 5", "at most 4"),
        (exp1({"keys": {"at": [0, 48]}, "nodes": 49}), "experiments.exp1.rows[2].nodes = 49", "at most 48"),
        (exp1({"keys": 49, "nodes": 3}), "experiments.exp1.rows[2].nodes = 3", "at most 2"),
        (exp1({"keys": "50ls", "steps": 20}), "experiments.exp1.rows[2]", "50"),
        (exp1({"keys": {"at": [0, 60]}}), "experiments.exp1.rows[2]", "do not fit into 50 sampling steps"),
        (exp1({"steps": 1000}), "experiments.exp1.rows[2].steps = 1000", "below 1000, the training timesteps of pocket"),
        ({"sampling": {"steps": 1001}}, "sampling.steps = 1001", "below 1000"),
        (exp1({"scheduler": "lcm", "steps": 51}), "experiments.exp1.rows[2].steps = 51", "at most 50 with scheduler lcm"),
        ({"finetune": {"max_delta": 2000}}, "finetune.max_delta = 2000", "below 1000, the training timesteps of pocket"),
        (
            {"finetune": {"max_delta": 50, "delta_unit": "sampling_steps"}},
            "finetune.max_delta = 50",
            "below sampling.steps = 50: no two steps are further apart",
        ),
        ({"recipes": {"unused": {"lam": 1, "max_delta": 1000}}}, "recipes.unused.max_delta = 1000", "below 1000"),
        ({"metrics": {"deltas": [1, 1000]}}, "metrics.deltas[1] = 1000", "below 1000"),
        (
            {"recipes": {"early": {"blocks": ["early", "down.3"]}}},
            "recipes.early.blocks[1] = 'down.3'",
            "one of early, late, conv_in",
        ),
        ({"recipes": {"decoding": {"nodes": 11}}}, "recipes.decoding.nodes = 11", "at most its stride, 10"),
        ({"backbones": {"pocket": {"size": 128}}}, "backbones.pocket.size = 128", "its UNet draws 64 px"),
        ({"backbones": {"pocket": {"source": "models"}}}, "backbones.pocket.source = 'models'", "unet/config.json is missing"),
        (
            {"scenarios": {"large": {"size": 132}}, "experiments": {"exp1": {"scenarios": ["clean", "large"]}}},
            "scenarios.large.size = 132",
            "a multiple of 8, as the pipeline and the VAE of pocket want it",
        ),
        ({"experiments": {"exp1": {"cost": {"sizes": [100]}}}}, "experiments.exp1.cost.sizes[0] = 100", "a multiple of 64"),
    ],
)
def test_what_the_networks_cannot_do_is_refused(change, key, allowed):
    text = message(change)
    assert text.startswith(f"config key {key}") and allowed in text, text


def test_a_deeper_unet_allows_a_deeper_cut():
    check(merged(DEFAULT, merged(SD15, exp1({"stride": 5, "cut": 3}, backbones=["sd15"]))))


@pytest.mark.parametrize(
    "change, key",
    [
        ({"finetune": {"max_delta": 400}}, "finetune.max_delta = 400"),
        ({"metrics": {"deltas": [1, 500]}}, "metrics.deltas[1] = 500"),
        ({"recipes": {"mine": {"max_delta": 999}}}, "recipes.mine.max_delta = 999"),
    ],
)
def test_every_configured_backbone_counts_even_one_that_no_experiment_has(short_schedule, change, key):
    check(merged(DEFAULT, merged(short_schedule, {"metrics": {"deltas": [*range(1, 11), 200, 399]}})))
    text = message(merged(short_schedule, change))
    assert text == f"config key {key}: must be below 400, the training timesteps of short"


def test_a_delta_in_sampling_steps_counts_the_backbones_own_timesteps(short_schedule):
    config = merged(DEFAULT, merged(short_schedule, {"finetune": {"delta_unit": "sampling_steps"}}))
    deltas = [FineTune.of_lambda(config, 0.1, name).parsed.max_delta for name in ("pocket", "short")]
    assert deltas == [200, 80]


def test_a_broken_file_of_a_backbone_is_named(short_schedule):
    folder = short_schedule["backbones"]["short"]["source"]
    with open(f"{folder}/vae/config.json", "w") as file:  # noqa: PTH123
        file.write("{")
    assert f"config key backbones.short: {folder}/vae/config.json is no JSON" in message(short_schedule)
