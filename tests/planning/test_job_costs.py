import re
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from diffusers import AutoencoderKL, UNet2DConditionModel
from fcr_core.experiment.rows import fine_tunes_of, recipe_rows_of, uncached_name, variations_of
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from fcr_core.experiment.recipe import Recipe
from fcr_core.metrics import kid, precision_recall, rows
from fcr_core.metrics.left_out import over_seeds
from fcr_core.planning import set_metric_costs as set_costs
from fcr_core.planning.job_costs import COSTS, JobCost, cost_of, step_factor
from fcr_core.planning.network_costs import network_costs
from fcr_core.planning.peak_memory import Networks
from fcr_core.planning.planned_experiment import Experiment
from fcr_core.planning.totals import PlannedJob, Rates, critical_path, totals

from ..random_pipelines import TINY_UNET, write_pipeline
from ..workspace import ROOT

TWIN = "FCR(0.10)-uncached-50"


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    return Networks(str(write_pipeline(tmp_path_factory.mktemp("pipeline"), TINY_UNET)))


@pytest.fixture(scope="module")
def experiment(networks):
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    tunes = fine_tunes_of(config)
    tables = {"exp1": variations_of(config), "recipe": recipe_rows_of(config, tunes)}
    twins = {TWIN: replace(tables["exp1"][uncached_name(config)], name=TWIN, recipe="lambda0.10")}
    return Experiment(config, network_costs(networks), tables["exp1"] | tables["recipe"] | twins, twins, tables, tunes)


def counted(call) -> int:
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


def test_networks_without_weights_cost_what_real_ones_do(networks, experiment):
    folder = networks.where.base.source
    unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet")
    vae = AutoencoderKL.from_pretrained(folder, subfolder="vae")
    latent, text, costs = torch.randn(1, 4, 8, 8), torch.randn(1, 77, 8), experiment.networks
    pixels = torch.randn(1, 3, *vae.decode(latent).sample.shape[-2:])
    assert costs.unet.full == counted(lambda: unet(latent, torch.tensor(1), text))
    assert (costs.decode, costs.encode) == (counted(lambda: vae.decode(latent)), counted(lambda: vae.encode(pixels)))
    assert costs.parameters == sum(p.numel() for p in unet.parameters())
    assert (costs.latent, costs.text, costs.pixels) == (latent.numel(), text.numel(), pixels[0, 0].numel())


def test_sampling_costs_the_passes_of_its_plan(experiment):
    unet, decode = experiment.networks.unet, experiment.networks.decode
    uncached = cost_of(experiment, "sample", {"variation": "uncached-50"})
    cached = cost_of(experiment, "sample", {"variation": "FD-10"})
    assert uncached.flops["fp32"] == 100 * (50 * 2 * unet.full + decode)
    assert cached.flops["fp32"] == 100 * (2 * (5 * unet.full + 45 * unet.decoder - 45 * unet.heads["up.0"]) + decode)
    assert uncached.written["latents"] == 100 * 4 * experiment.networks.latent


def test_a_twin_costs_its_few_images(experiment):
    twin, whole = (cost_of(experiment, "sample", {"variation": name}).flops["fp32"] for name in (TWIN, "uncached-50"))
    assert twin / whole == 20 / 100


@pytest.mark.parametrize("images, shard, launched", [(100, 20, 100), (101, 20, 120), (8, 4, 40), (8, None, 20)])
def test_launches_are_filled_up_in_every_shard(experiment, images, shard, launched):
    assert experiment.launched(images, shard) == launched


def test_a_fine_tune_costs_three_passes_a_sample_times_its_factor(experiment):
    plain = 40 * 32 * 3 * experiment.networks.unet.full
    assert cost_of(experiment, "finetune", {"recipe": "lambda0.10"}).flops == {"fp32": pytest.approx(1.35 * plain)}
    # The control's consistency is logged: an encoder pass without gradients.
    assert cost_of(experiment, "finetune", {"recipe": "lambda0"}).flops == {"fp32": pytest.approx(1.15 * plain)}


def test_images_that_are_encoded_as_they_are_drawn_cost_that_in_every_step(experiment):
    streamed = replace(experiment, config=experiment.config | {"data": experiment.config["data"] | {"cache_latents": False}})
    flops, cached = (cost_of(e, "finetune", {"recipe": "lambda0.10"}).flops["fp32"] for e in (streamed, experiment))
    assert flops - cached == pytest.approx(40 * 32 * experiment.networks.encode)


def test_mini_validations_cost_sampling(experiment):
    tune = experiment.tunes["lambda0.10"]
    validated = replace(tune, training=tune.training | {"validate_every": 10, "precision": "bf16"})
    flops = cost_of(replace(experiment, tunes={"x": validated}), "finetune", {"recipe": "x"}).flops
    fd10 = cost_of(experiment, "sample", {"variation": "FD-10"}).flops["fp32"] / 100 - experiment.networks.decode
    assert set(flops) == {"bf16", "fp32"} and flops["fp32"] == pytest.approx(4 * 20 * fd10)


@pytest.mark.parametrize(
    "fields, factor",
    [
        ({"lam": 1, "stop_grad": "key"}, 1.15),
        ({"lam": 1, "source": "rollout", "times": "groups"}, 1.67),
        ({"lam": 1, "preserve": 10}, 1.65),
        ({"denoise": 0, "decoding": 1, "trains": "decoder"}, 1.7),
    ],
)
def test_factors_are_those_measured(fields, factor):
    assert step_factor(Recipe(**fields)) == pytest.approx(factor)


@pytest.mark.parametrize("metric, distances", [(kid, "polynomial_kernel"), (precision_recall, "squared_distances")])
def test_a_metric_of_pairs_costs_half_of_all_pairs_whatever_is_left_out(monkeypatch, metric, distances):
    measured, products = getattr(metric, distances), []

    def counting(x, y):
        products.append(x.size * len(y))
        return measured(x, y)

    monkeypatch.setattr(metric, distances, counting)
    monkeypatch.setattr(rows, "BLOCK", 8)
    rng = np.random.default_rng(0)
    list(over_seeds(metric, rng.normal(size=(2, 300, 4)), rng.normal(size=(500, 4)), [0, 1]))
    name = metric.__name__.split(".")[-1]
    planned = set_costs.of_variation(name, images=300, seeds=2, real=500, width=4) / set_costs.FLOAT64
    assert 2 * sum(products) == pytest.approx(planned, rel=0.05)


def test_real_images_are_compared_half_by_half_twenty_times(experiment):
    real = experiment.images_in("twemoji", "test") // 2 * 2
    kid_and_recall, moments = 2 * 1280 * real**2, 2 * 1280**2 * real
    flops = cost_of(experiment, "measure_real", {}).flops["fp32"]
    assert flops == pytest.approx(3 * 20 * (kid_and_recall + moments))


def test_every_rule_has_a_cost_and_every_cost_a_rule():
    text = "\n".join(file.read_text() for file in [ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")])
    rules = set(re.findall(r"^ *(?:rule|checkpoint) (\w+):", text, re.MULTILINE))
    rules |= set(re.findall(r"^ *use rule \w+ as (\w+) with:", text, re.MULTILINE))
    assert rules == set(COSTS)


def test_shards_cost_what_one_job_does(experiment):
    whole = cost_of(experiment, "sample", {"variation": "FD-5", "seed": "0"})
    sampling = experiment.config["sampling"] | {"shard": experiment.config["data"]["prompts"] // 2}
    sharded = replace(experiment, config=experiment.config | {"sampling": sampling})
    starts = range(0, experiment.config["data"]["prompts"], sampling["shard"])
    parts = [cost_of(sharded, "sample_shard", {"variation": "FD-5", "seed": "0", "start": str(start)}) for start in starts]
    assert len(parts) > 1 and sum(part.written["samples"] for part in parts) == pytest.approx(whole.written["samples"])


def test_a_forgotten_rule_is_named(experiment):
    with pytest.raises(ValueError, match="rule brew_tea has no cost: add it to COSTS"):
        cost_of(experiment, "brew_tea", {})


def test_a_set_of_unknown_size_is_named(experiment):
    with pytest.raises(ValueError, match=r"data.train_images: say how many images of webdataset"):
        cost_of(experiment, "encode_data", {"dataset": "webdataset"})


def job(hours: float, *needs: int, gpu: bool = False, **cost) -> PlannedJob:
    return PlannedJob("rule", "label", JobCost(**cost), hours, needs, holds_gpu=gpu)


def test_the_critical_path_is_the_longest_chain():
    #   0 (1 h) -> 1 (5 h) -> 3 (1 h);  0 -> 2 (2 h) -> 4 (3.5 h) -> 3
    jobs = [job(1), job(5, 0), job(2, 0), job(1, 1, 4), job(3.5, 2)]
    assert critical_path(jobs) == [0, 2, 4, 3]


def test_costs_add_up():
    jobs = [
        job(2, gpu=True, written={"weights": 3}, scratch=7),
        job(4, 0, gpu=True, written={"weights": 3, "samples": 1}, scratch=5),
        job(3, gpu=True),
        job(1),
    ]
    total = totals(jobs, at_once=2)
    assert (total.jobs, total.gpu_hours, total.cpu_hours) == (4, 9, 1)
    assert total.written == {"weights": 6, "samples": 1} and total.scratch == 12
    assert total.wall_hours == 6  # the chain; 9 hours on two GPUs would be 4.5
    assert totals(jobs, at_once=1).wall_hours == 9


def test_hours_are_flops_by_rate_and_precision():
    cuda, cpu = ({"tflops": {"fp32": fp32, "bf16": bf16}, "price": price} for fp32, bf16, price in ((10, 40, 2), (0.1, 0.1, 0)))
    rates = Rates(cuda, cpu, start_seconds=36, euros_a_dollar=0.5)
    cost = JobCost({"fp32": 3.6e16, "bf16": 1.44e17}, seconds=324)
    assert rates.hours(cost, on_cuda=True) == pytest.approx(0.1 + 1 + 1)
    assert rates.hours(cost, on_cuda=False, threads=2) == pytest.approx(0.1 + 1.8e17 / 2e11 / 3600)
    assert totals([job(3, gpu=True)], 1).dollars(rates) == 6


def test_a_missing_rate_is_named(tmp_path):
    (tmp_path / "rates.yaml").write_text("cuda: {}\ncpu: {}\nstart_seconds: 7\n")
    with pytest.raises(ValueError, match=r"rates.yaml: .*euros_a_dollar"):
        Rates.read(tmp_path / "rates.yaml")
