"""A configuration is checked before anything runs, and what is wrong is said in one line."""

import copy
import math
from pathlib import Path

import pytest
import yaml

from fcr_core.experiment.config_error import ConfigError
from fcr_core.experiment.rules import check_criteria, check_names
from fcr_core.experiment.schema import check
from fcr_core.figures.registry import FIGURES
from fcr_core.tables.verdicts import CRITERIA

ROOT = Path(__file__).parents[2]
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())


def merged(base: dict, more: dict) -> dict:
    result = copy.deepcopy(base)
    for key, value in more.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def exp1(*rows, **fields) -> dict:
    """The default configuration's Experiment 1 with these rows behind those that every table needs."""
    return {"experiments": {"exp1": {"rows": ["uncached", {"stride": 5}, *rows], **fields}}}


def message(change: dict) -> str:
    with pytest.raises(ConfigError) as raised:
        check(merged(DEFAULT, change))
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_verdicts_and_figures_are_those_that_there_are():
    check_names(DEFAULT, CRITERIA, FIGURES)
    for key, value in (("criteria", "best"), ("figures", ["pie"])):
        with pytest.raises(ConfigError, match=rf"experiments\.exp1\.{key}.* = '(best|pie)': must be one of"):
            check_names(merged(DEFAULT, exp1(**{key: value})), CRITERIA, FIGURES)
    with pytest.raises(ConfigError, match=r"experiments\.exp1\.figures\[0\] = 'mechanism': needs of the experiment: mechanism"):
        check_names(merged(DEFAULT, exp1(figures=["mechanism"])), CRITERIA, FIGURES)
    with pytest.raises(ConfigError, match=r"experiments\.exp1\.criteria = 'plan': needs of the experiment: cost, variance"):
        check_names(merged(DEFAULT, exp1(figures=[], cost=None, measures=["sets", "image_text"])), CRITERIA, FIGURES)


def test_verdicts_have_what_they_are_made_of():
    check_criteria(DEFAULT, CRITERIA)
    for change, says in (
        ({"metrics": {"deltas": [1, 200]}}, r"metrics\.deltas = \[1, 200\]: needs \[2, 3, 4, 5, 6, 7, 8, 9, 10\] too"),
        ({"metrics": {"sets": ["kid"]}}, r"metrics\.sets = \['kid'\]: needs a Fréchet distance for experiments\.exp1\.criteria"),
        ({"metrics": {"sets": ["frechet"]}}, r"needs a KID for experiments\.recipes\.criteria = recipe: kid"),
    ):
        with pytest.raises(ConfigError, match=says):
            check_criteria(merged(DEFAULT, change), CRITERIA)


@pytest.mark.parametrize("files", ["", "smoke", "paper", "paper full_size", "finalist"])
def test_the_shipped_configurations_are_valid(files):
    config = DEFAULT
    for name in files.split():
        config = merged(config, yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text()))
    check(config)


def test_an_extractor_without_logits_judges_sets_by_metrics_that_need_none():
    check(merged(DEFAULT, {"metrics": {"extractor": "dinov2", "sets": ["kid", "frechet_pca", "precision_recall"]}}))


def test_an_experiment_of_another_file_can_be_left_out():
    check(merged(DEFAULT, {"experiments": {"plane": None}}))


SD21 = {"sd21": {"train": "twemoji"}}


@pytest.mark.parametrize(
    "change, key, allowed",
    [
        ({"seeds": "three"}, "seeds = 'three'", "type array"),
        ({"sedes": [0]}, "sedes = [0]", "unknown key; allowed here: backbones"),
        ({"finetune": {"lamda": 1}}, "finetune.lamda = 1", "unknown key"),
        ({"finetune": {"lr": "1e-5"}}, "finetune.lr = '1e-5'", "write 1.0e-5"),
        ({"finetune": {"lr": math.inf}}, "finetune.lr = inf", "a finite number"),
        ({"finetune": {"distance": "l1"}}, "finetune.distance = 'l1'", "one of ['mse', 'relative', 'cosine']"),
        ({"finetune": {"max_delta": 1000}}, "finetune.max_delta = 1000", "below 1000"),
        ({"finetune": {"gpus": 4, "accumulate": 6}}, "finetune.gpus = 4", "must divide the accumulate of lambda0, 6"),
        ({"finetune": {"optimizer": "sgd"}}, "finetune.optimizer = 'sgd'", "one of ['adamw', 'adamw8bit']"),
        ({"recipes": {"mine": {"lamda": 1}}}, "recipes.mine.lamda = 1", "unknown key; allowed here: accumulate"),
        ({"recipes": {"mine": {"trains": "all"}}}, "recipes.mine.trains = 'all'", "one of ['unet', 'lora', 'decoder']"),
        ({"recipes": {"../x": {"lam": 1}}}, "recipes = ", "letters, digits"),
        ({"recipes": {"relative": {"stride": 60}}}, "recipes.relative.stride = 60", "2 to sampling.steps = 50"),
        (exp1({"stride": 10, "lam": [0, -0.1]}), "experiments.exp1.rows[2].lam[1] = -0.1", "at least 0"),
        (exp1({"stride": 10, "lam": [math.nan]}), "experiments.exp1.rows[2].lam[0] = nan", "a finite number"),
        (exp1({"recipe": "x", "stride": 5}), "experiments.exp1.rows[2].recipe = 'x'", "a name from recipes, base or all"),
        (exp1({"lam": 0.1, "recipe": "control"}), "experiments.exp1.rows[2]", "either lam or recipe"),
        (exp1({"keys": 60}), "experiments.exp1.rows[2]", "keys = 60: must be at most the sampling steps, 50"),
        (exp1({"stride": [10, 0]}), "experiments.exp1.rows[2].stride[1] = 0", "at least 1"),
        (exp1({"keys": 5, "stride": 5}), "experiments.exp1.rows[2]", "not both"),
        (exp1({"cut": 2}), "experiments.exp1.rows[2]", "needs a stride or key steps"),
        (exp1({"stride": 5, "cutt": 2}), "experiments.exp1.rows[2].cutt = 2", "unknown key; allowed here: backbone, cut"),
        (exp1({"keys": "49ls"}), "experiments.exp1.rows[2]", "no key steps named '49ls': choose one of ['50ls']"),
        (exp1({"steps": 10, "name": "../x"}), "experiments.exp1.rows[2].name = '../x'", "letters, digits"),
        (exp1({"scheduler": "ddpm"}), "experiments.exp1.rows[2]", "scheduler = 'ddpm': must be one of ['ddim', "),
        (exp1({"stride": 5, "live": True, "nodes": 2}), "experiments.exp1.rows[2]", "no decoder can be left out"),
        (exp1(goal="FD-4"), "experiments.exp1.goal = 'FD-4'", "add a row with this sampler on pocket and twemoji/clean"),
        ({"experiments": {"exp1": {"rows": [{"stride": 5}]}}}, "experiments.exp1.rows = 'pocket'", "add the row `uncached`"),
        ({"experiments": {"exp1": {"backbones": ["sd15"]}}}, "experiments.exp1.backbones[0] = 'sd15'", "a name from backbones"),
        ({"experiments": {"exp1": {"datasets": ["noto"]}}}, "experiments.exp1.datasets[0] = 'noto'", "a name from datasets"),
        ({"experiments": {"exp1": {"scenarios": ["fog"]}}}, "experiments.exp1.scenarios[0] = 'fog'", "a name from scenarios"),
        (
            {"experiments": {"exp1": {"cost": {"batches": [1, 200]}}}},
            "experiments.exp1.cost.batches[1] = 200",
            "at most datasets",
        ),
        ({"experiments": {"recipes": {"cost": {"shown": 8}}}}, "experiments.recipes.cost.shown = 8", "[1, 20]"),
        (
            {"experiments": {"ablations": {"prompts": 101}}},
            "experiments.ablations.prompts = 101",
            "datasets.twemoji.prompts = 100",
        ),
        (
            exp1({"stride": 5, "lam": 0.1, "train": "nowhere"}),
            "experiments.exp1.rows[2].train = 'nowhere'",
            "a name from datasets",
        ),
        (exp1(control="nobody"), "experiments.exp1.control = 'nobody'", "a name from recipes"),
        (
            {"backbones": {"sd21": {"train": "twemoji"}}, **exp1({"keys": 10}, backbones=["sd21"])},
            "experiments.exp1.rows = 'FD-10keys'",
            "a search needs trajectories, which sd21 does not have",
        ),
        ({"sampling": {"shard": 30}}, "sampling.shard = 30", "a multiple of sampling.batch = 20"),
        ({"sampling": {"scheduler": "x"}}, "sampling.scheduler = 'x'", "one of ['ddim'"),
        ({"sampling": {"twin_prompts": 101}}, "sampling.twin_prompts = 101", "at most datasets.twemoji.prompts = 100"),
        ({"run": ["exp9"]}, "run[0] = 'exp9'", "a name from experiments"),
        (
            {"backbones": {"sd99": {"train": "twemoji"}}},
            "backbones.sd99 = 'sd99'",
            "one of ['animatediff', 'openjourney', 'pocket'",
        ),
        ({"backbones": {"pocket": {"source": "nowhere"}}}, "backbones.pocket.source = 'nowhere'", "no such folder"),
        ({"backbones": {"pocket": {"train": "coco"}}}, "backbones.pocket.train = 'coco'", "add coco to datasets"),
        ({"datasets": {"cocoa": {}}}, "datasets.cocoa = {}", "one of ['artbench', 'coco', "),
        ({"datasets": {"coco": {}}}, "datasets.coco = {}", "set datasets.coco.source to the files that docs/data.md names"),
        ({"datasets": {"laion": {"source": "x"}}}, "datasets.laion = {'source': 'x'}", "set datasets.laion.download"),
        ({"datasets": {"noto": {"source": "x"}}}, "datasets.noto.source = 'x'", "comes with a package"),
        (
            {"datasets": {"unseen_illustrations": {"source": "x"}}},
            "datasets.unseen_illustrations.source = 'x'",
            "it reads the files of illustrations: set datasets.illustrations.source",
        ),
        (
            {"datasets": {"laion": {"download": {"images": 0}}}},
            "datasets.laion.download = {'images': 0}",
            "required: ['images', ",
        ),
        (
            {"datasets": {"twemoji": {"prompts": 207}}},
            "datasets.twemoji.prompts = 207",
            "286 held-out concepts, and key_search takes 80",
        ),
        (
            {
                "datasets": {"partiprompts": {"source": "x", "prompts": 9}},
                "experiments": {"exp1": {"datasets": ["partiprompts"]}},
            },
            "experiments.exp1.datasets[0] = 'partiprompts'",
            "has prompts alone",
        ),
        (
            {"backbones": SD21, **exp1({"recipe": "rollout", "stride": 10}, backbones=["sd21"])},
            "recipes.rollout = ",
            "needs trajectories, which a backbone that predicts v_prediction (sd21) does not have",
        ),
        (
            {"metrics": {"extractor": "dinov2"}},
            "metrics.sets[2] = 'class_score'",
            "logits, which metrics.extractor = 'dinov2' does",
        ),
        *[
            ({"datasets": {"image_folder": {"source": path}}}, f"datasets.image_folder.source = '{path}'", "write the whole path")
            for path in ("~/pictures", "$HOME/pictures", "/data/${USER}")
        ],
        ({"datasets": {"image_folder": {"source": "my {x}"}}}, "datasets.image_folder.source = 'my {x}'", "for a wildcard"),
        ({"metrics": {"weights": {"inception": "{a}.pt"}}}, "metrics.weights.inception = '{a}.pt'", "for a wildcard"),
        ({"seeds": [0, 0]}, "seeds = [0, 0]", "must not repeat an entry"),
        ({"seeds": [0.0]}, "seeds[0] = 0.0", "type integer"),
        ({"seeds": [True]}, "seeds[0] = True", "type integer"),
        ({"seeds": [2**32]}, "seeds[0] = 4294967296", "at most 4294967295"),
        ({"seeds": {0: 1}}, "seeds.0 = 1", "a key must be text, and YAML reads 0 here: write '0'"),
        ({"finetune": None}, "finetune = None", "type object"),
        ({"finetune": [1]}, "finetune = [1]", "type object"),
        ({"sampling": {"steps": "50"}}, "sampling.steps = '50'", "it is text: write it without quotes"),
        ({"sampling": {"steps": 50.0}}, "sampling.steps = 50.0", "type integer"),
        ({"sampling": {"guidance": math.nan}}, "sampling.guidance = nan", "a finite number"),
        ({"metrics": {"deltas": [math.inf]}}, "metrics.deltas[0] = inf", "a finite number"),
        ({"recipes": {"mine": {"lr": -1}}}, "recipes.mine.lr = -1", "above 0"),
        ({"recipes": {"mine": {"lm": 1}}}, "recipes.mine.lm = 1", "did you mean lam?"),
        ({"recipes": {"mine": {"keys": {"att": [0]}}}}, "recipes.mine.keys = ", "must be how many key steps a search places"),
        ({"recipes": {"unused": {"denoise": 0}}}, "recipes.unused", "the recipe trains nothing"),
        (exp1({"stride": []}), "experiments.exp1.rows[2].stride = []", "at least one entry"),
        (exp1("cached"), "experiments.exp1.rows[2] = 'cached'", "must be `uncached`, or keys such as {stride: 5}"),
        (exp1({"backbone": {"a": 1}}), "experiments.exp1.rows[2].backbone = {'a': 1}", "type string"),
        (exp1({"stride": [[5]]}), "experiments.exp1.rows[2].stride[0] = [5]", "type integer"),
        (exp1({"recipe": "control", "sampler": "own", "stride": 5}), "experiments.exp1.rows[2].stride = 5", "`sampler: own`"),
        (exp1({"recipe": "control", "sampler": "its"}), "experiments.exp1.rows[2].sampler = 'its'", "must be own"),
        (
            {"experiments": {"ablations": {"mechanism": {"delta": 3000}}}},
            "experiments.ablations.mechanism.delta = 3000",
            "one of",
        ),
        (
            {"experiments": {"ablations": {"mechanism": {"sampler": "FD-7"}}}},
            "experiments.ablations.mechanism.sampler = 'FD-7'",
            "must be the sampler of a row: uncached-50, FD-5, FD-10",
        ),
        (
            {"experiments": {"plane": {"measures": ["sets"], "prompts": 50}}},
            "experiments.plane.rows = ",
            "draws more prompts or seeds",
        ),
        ({"datasets": {"twemoji": {"train_images": 5000}}}, "datasets.twemoji.train_images = 5000", "has 3459 training images"),
        (
            {"datasets": {"coco": {"source": "x", "prompts": 9}}, **exp1({"stride": 5, "lam": 0.1, "train": "coco"})},
            "experiments.exp1.rows = 'lambda0.10@coco'",
            "coco has no training images",
        ),
        (
            {"datasets": {"coco": {"source": "x", "prompts": 100}}, **exp1(datasets=["coco"])},
            "metrics.image_text = 'lit'",
            "trained on the training images of coco, which has none",
        ),
        ({"metrics": {"variance_images": 101}}, "metrics.variance_images = 101", "at most datasets.twemoji.prompts = 100"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(change, key, allowed):
    text = message(change)
    assert text.startswith(f"config key {key}") and allowed in text, text
