import copy
import re

import pytest
import yaml
from fcr_core.experiment.rows import fine_tunes_of, lambda_name, max_delta_in_train_steps, variations_of

from fcr_core.backbones.registry import BACKBONES
from fcr_core.data import DATASETS
from fcr_core.experiment.schema import ConfigError, check

from ..workspace import ROOT

DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())


def merged(base: dict, more: dict) -> dict:
    result = copy.deepcopy(base)
    for key, value in more.items():
        result[key] = merged(result[key], value) if isinstance(value, dict) and key in result else value
    return result


def message(change: dict) -> str:
    with pytest.raises(ConfigError) as raised:
        check(merged(DEFAULT, change), sorted(BACKBONES), sorted(DATASETS))
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("files", ["", "smoke", "paper", "paper full_size", "finalist"])
def test_the_shipped_configurations_are_valid(files):
    config = DEFAULT
    for name in files.split():
        config = merged(config, yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text()))
    check(config, sorted(BACKBONES), sorted(DATASETS))


def test_an_extractor_without_logits_judges_sets_by_metrics_that_need_none():
    config = merged(DEFAULT, {"metrics": {"extractor": "dinov2", "sets": ["kid", "frechet_pca", "precision_recall"]}})
    check(config, sorted(BACKBONES), sorted(DATASETS))


@pytest.mark.parametrize(
    "change, key, allowed",
    [
        ({"seeds": "three"}, "seeds = 'three'", "type array"),
        ({"sedes": [0]}, "sedes = [0]", "unknown key; allowed here: ablations"),
        ({"finetune": {"lamda": 1}}, "finetune.lamda = 1", "unknown key"),
        ({"finetune": {"lambdas": [0, -0.1]}}, "finetune.lambdas[1] = -0.1", "at least 0"),
        ({"finetune": {"lr": "1e-5"}}, "finetune.lr = '1e-5'", "write 1.0e-5"),
        ({"finetune": {"distance": "l1"}}, "finetune.distance = 'l1'", "one of ['mse', 'relative', 'cosine']"),
        ({"recipes": {"mine": {"lamda": 1}}}, "recipes.mine.lamda = 1", "unknown key; allowed here: accumulate"),
        ({"recipes": {"mine": {"times": "groups", "stride": 60}}}, "recipes.mine.stride = 60", "2 to sampling.steps = 50"),
        ({"recipes": {"mine": {"trains": "all"}}}, "recipes.mine.trains = 'all'", "one of ['unet', 'lora', 'decoder']"),
        ({"recipe_table": {"rows": [{"recipe": "x", "stride": 5}]}}, "recipe_table.rows[0].recipe = 'x'", "a name from recipes"),
        ({"recipe_table": {"rows": [{"keys": 60}]}}, "recipe_table.rows[0].keys = 60", "at most sampling.steps"),
        ({"recipe_table": {"rows": [{"keys": 5, "stride": 5}]}}, "recipe_table.rows[0] = {'keys': 5, 'stride': 5}", "not both"),
        ({"ablations": {"plans": [{"stride": 60}, {"stride": 5}]}}, "ablations.plans[0].stride = 60", "at most sampling.steps"),
        ({"sampling": {"strides": [5, 0]}}, "sampling.strides[1] = 0", "at least 1"),
        ({"sampling": {"fcr_strides": [60]}}, "sampling.fcr_strides[0] = 60", "at most sampling.steps = 50"),
        ({"sampling": {"shard": 30}}, "sampling.shard = 30", "a multiple of sampling.batch = 20"),
        ({"finetune": {"gpus": 4, "accumulate": 6}}, "finetune.gpus = 4", "must divide the accumulate of lambda0, 6"),
        ({"finetune": {"optimizer": "sgd"}}, "finetune.optimizer = 'sgd'", "one of ['adamw', 'adamw8bit']"),
        ({"backbone": "sd99"}, "backbone = 'sd99'", "one of ['animatediff', 'openjourney', 'pocket', 'sd15',"),
        ({"data": {"eval": "cocoa"}}, "data.eval = 'cocoa'", "one of ['artbench', 'coco', "),
        ({"data": {"eval": "coco"}}, "data.eval = 'coco'", "set data.sources.coco to the files that docs/data.md names"),
        ({"data": {"train": "laion", "sources": {"laion": "x"}}}, "data.train = 'laion'", "set data.laion"),
        ({"data": {"eval": "partiprompts"}}, "data.eval = 'partiprompts'", "has prompts alone"),
        ({"data": {"sources": {"noto": "x"}}}, "data.sources.noto = 'x'", "no data set that reads files"),
        ({"data": {"laion": {"images": 0}}}, "data.laion = {'images': 0}", "required: ['images', 'min_aesthetic'"),
        ({"ablations": {"plans": [{"stride": 5}]}}, "ablations.plans = [{'stride': 5}]", "needs two different samplers"),
        (
            {"ablations": {"plans": [{"stride": 5}, {"stride": 5}]}},
            "ablations.plans = [{'stride': 5}, {'stride': 5}]",
            "two different",
        ),
        ({"ablations": {"recipes": ["cosine"]}}, "ablations.recipes = ['cosine']", "needs the recipe control"),
        ({"recipe_table": {"rows": [{"stride": 10}]}}, "sampling.strides[0] = 5", "add a row {stride: 5} to recipe_table.rows"),
        ({"sampling": {"strides": [4, 10]}}, "sampling.strides[0] = 4", "add a row {stride: 4} to recipe_table.rows"),
        ({"plane": {"cuts": [1, 2]}}, "plane.cuts = [1, 2]", "must contain 0: others are compared with FD-5"),
        ({"plane": {"nodes": [2]}}, "plane.nodes = [2]", "must contain all"),
        ({"plane": {"reuse": ["linear"]}}, "plane.reuse = ['linear']", "must contain hold"),
        (
            {"metrics": {"extractor": "dinov2"}},
            "metrics.sets[2] = 'class_score'",
            "logits, which metrics.extractor = 'dinov2' does",
        ),
        ({"metrics": {"extractor": "clip"}}, "metrics.extractor = 'clip'", "one of ['dinov2', 'effnet', 'inception']"),
        ({"metrics": {"image_text": "blip"}}, "metrics.image_text = 'blip'", "one of ['lit', 'clip']"),
        ({"metrics": {"sets": ["kid", "fid"]}}, "metrics.sets[1] = 'fid'", "one of ['kid', 'frechet', "),
        ({"metrics": {"weights": {"vgg": "x"}}}, "metrics.weights.vgg = 'x'", "unknown key; allowed here: clip, dinov2"),
        ({"efficiency": {"batches": [1, 200]}}, "efficiency.batches[1] = 200", "at most data.prompts = 100"),
        ({"recipe_table": {"batches": [101]}}, "recipe_table.batches[0] = 101", "at most data.prompts = 100"),
        ({"plane": {"prompts": 10}}, "plane.batch = 20", "at most plane.prompts = 10"),
        ({"plane": {"prompts": 101}}, "plane.prompts = 101", "at most data.prompts = 100"),
        ({"ablations": {"prompts": 101}}, "ablations.prompts = 101", "at most data.prompts = 100"),
        ({"sampling": {"twin_prompts": 101}}, "sampling.twin_prompts = 101", "at most data.prompts = 100"),
        ({"metrics": {"variance_images": 101}}, "metrics.variance_images = 101", "at most data.prompts = 100"),
        ({"recipes": {"base": {"lam": 1}}}, "recipes.base = {'lam': 1}", "choose another name"),
        ({"recipes": {"lambda0.10": {"lam": 1}}}, "recipes.lambda0.10 = {'lam': 1}", "choose another name"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(change, key, allowed):
    text = message(change)
    assert text.startswith(f"config key {key}: ") and allowed in text


def test_the_rows_of_the_table_carry_the_names_of_the_literature():
    assert list(variations_of(DEFAULT)) == [
        "uncached-50", "DDIM-35", "DDIM-10", "DPM++20", "FD-5", "FD-10",
        "FCR(0)-FD-10", "FCR(0.05)-FD-10", "FCR(0.10)-FD-10", "FCR(0.20)-FD-10",
    ]  # fmt: skip


def test_a_lambda_has_one_name_that_reads_back():
    assert [lambda_name(x) for x in (0, 0.05, 0.1, 0.125, 3)] == ["0", "0.05", "0.10", "0.125", "3.00"]
    assert all(re.fullmatch(r"[0-9.e-]+", lambda_name(x)) and float(lambda_name(x)) == x for x in (1e-7, 0.3, 12.5))


def test_delta_counts_training_steps_or_sampling_steps():
    assert max_delta_in_train_steps(DEFAULT) == 10
    assert max_delta_in_train_steps(merged(DEFAULT, {"finetune": {"delta_unit": "sampling_steps"}})) == 200


def test_a_baseline_of_another_file_can_be_left_out():
    config = merged(DEFAULT, {"baselines": {"DDIM-35": None}})
    check(config, sorted(BACKBONES), sorted(DATASETS))
    assert variations_of(DEFAULT).keys() - variations_of(config).keys() == {"DDIM-35"}


def test_a_fine_tune_that_ends_before_its_first_mini_validation_is_not_validated():
    tunes = fine_tunes_of(merged(DEFAULT, {"finetune": {"steps": 40, "validate_every": 50}}))
    assert not tunes["lambda0.10"].validated and "--validate-every=50" not in tunes["lambda0.10"].arguments
    assert tunes["control"].validated and "--validate-every=50" in tunes["control"].arguments
    assert fine_tunes_of(merged(DEFAULT, {"finetune": {"steps": 50, "validate_every": 50}}))["lambda0.10"].validated
