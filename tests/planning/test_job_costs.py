import re

import numpy as np
import pytest
import torch
import yaml
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from fcr_core.cost.plan_flops import sampling_flops
from fcr_core.experiment.recipe import Recipe
from fcr_core.metrics import kid, precision_recall, rows
from fcr_core.metrics.left_out import over_seeds
from fcr_core.planning import set_metric_costs as set_costs
from fcr_core.planning.counted_networks import count_networks
from fcr_core.planning.job_costs import COSTS, JobCost, cost_of, step_factor
from fcr_core.planning.network_costs import known_costs
from fcr_core.planning.peak_memory import Networks
from fcr_core.planning.planned_run import UNCACHED, PlannedRun, launched, loop_flops
from fcr_core.planning.rates import Rates
from fcr_core.planning.totals import PlannedJob, critical_path, totals

from ..random_pipelines import TINY_UNET, write_pipeline
from ..workspace import ROOT, merged

SAMPLED = "pocket/{}/{}/twemoji/clean"
UNCACHED_CELL, TWIN = SAMPLED.format("base", "uncached-50"), SAMPLED.format("lambda0.10@twemoji", "uncached-50")
FINE_TUNE = {"backbone": "pocket", "train": "twemoji", "recipe": "lambda0.10", "seed": "0"}


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    return Networks(str(write_pipeline(tmp_path_factory.mktemp("pipeline"), TINY_UNET)))


@pytest.fixture(scope="module")
def tiny(networks):
    return count_networks(networks)


@pytest.fixture(scope="module")
def config():
    return yaml.safe_load((ROOT / "config.yaml").read_text())


@pytest.fixture(scope="module")
def run(config, tiny):
    return PlannedRun.from_config(config, lambda backbone, side: tiny)


def changed(run: PlannedRun, **sections) -> PlannedRun:
    """The same run with other values in sections of its configuration."""
    return PlannedRun.from_config(merged(run.config, sections), run.costs_of)


def counted(call) -> int:
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


def test_networks_without_weights_cost_what_real_ones_do(networks, tiny):
    folder = networks.where.base.source
    unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet")
    vae = AutoencoderKL.from_pretrained(folder, subfolder="vae")
    latent, text = torch.randn(1, 4, 8, 8), torch.randn(1, 77, 8)
    pixels = torch.randn(1, 3, *vae.decode(latent).sample.shape[-2:])
    assert tiny.unet.full == counted(lambda: unet(latent, torch.tensor(1), text))
    assert (tiny.decode, tiny.encode) == (counted(lambda: vae.decode(latent)), counted(lambda: vae.encode(pixels)))
    assert tiny.parameters == sum(p.numel() for p in unet.parameters())
    assert (tiny.latent, tiny.text, tiny.pixels) == (latent.numel(), text.numel(), pixels[0, 0].numel())


def test_networks_are_counted_at_any_size(networks, tiny):
    wide = count_networks(networks, 2 * int(tiny.pixels**0.5))
    assert (wide.pixels, wide.latent, wide.parameters) == (4 * tiny.pixels, 4 * tiny.latent, tiny.parameters)
    assert wide.unet.full > tiny.at(2 * int(tiny.pixels**0.5)).unet.full > 3.9 * tiny.unet.full  # attention grows faster


def test_sampling_costs_the_passes_of_its_plan(run, tiny):
    unet, decode = tiny.unet, tiny.decode
    uncached = cost_of(run, "sample", {"cell": UNCACHED_CELL})
    cached = cost_of(run, "sample", {"cell": SAMPLED.format("base", "FD-10")})
    assert uncached.flops["fp32"] == 3 * 100 * (50 * 2 * unet.full + decode)
    assert cached.flops["fp32"] == 3 * 100 * (2 * (5 * unet.full + 45 * unet.decoder - 45 * unet.heads["up.0"]) + decode)
    assert uncached.written["latents"] == 3 * 100 * 4 * tiny.latent


def test_a_job_a_seed_costs_its_share(run):
    together = cost_of(run, "sample", {"cell": UNCACHED_CELL})
    apart = cost_of(run, "sample_seed", {"cell": UNCACHED_CELL, "seed": "1"})
    assert together.flops["fp32"] == 3 * apart.flops["fp32"]


def test_a_twin_costs_its_few_images(run):
    twin, whole = (cost_of(run, "sample", {"cell": cell}).flops["fp32"] for cell in (TWIN, UNCACHED_CELL))
    assert twin / whole == 20 / 100


@pytest.mark.parametrize("images, shard, computed", [(100, 20, 100), (101, 20, 120), (8, 4, 40), (8, None, 20)])
def test_launches_are_filled_up_in_every_shard(tiny, images, shard, computed):
    assert launched(images, tiny, shard) == computed


def test_a_fine_tune_costs_three_passes_a_sample_times_its_factor(run, tiny):
    plain = 40 * 32 * 3 * tiny.unet.full
    assert cost_of(run, "finetune", FINE_TUNE).flops == {"fp32": pytest.approx(1.35 * plain)}
    # The control's consistency is logged: an encoder pass without gradients.
    assert cost_of(run, "finetune", FINE_TUNE | {"recipe": "lambda0"}).flops == {"fp32": pytest.approx(1.15 * plain)}


def test_images_that_are_encoded_as_they_are_drawn_cost_that_in_every_step(run, tiny):
    streamed = changed(run, finetune={"cache_latents": False})
    flops, cached = (cost_of(each, "finetune", FINE_TUNE).flops["fp32"] for each in (streamed, run))
    assert flops - cached == pytest.approx(40 * 32 * tiny.encode)


def test_mini_validations_cost_sampling(run, tiny):
    validated = changed(run, finetune={"validate_every": 10, "precision": "bf16"})
    flops = cost_of(validated, "finetune", FINE_TUNE).flops
    fd10 = cost_of(run, "sample", {"cell": SAMPLED.format("base", "FD-10")}).flops["fp32"] / 300 - tiny.decode
    assert set(flops) == {"bf16", "fp32"} and flops["fp32"] == pytest.approx(4 * 20 * fd10)


def test_a_backbone_overrides_how_long_its_fine_tunes_train(run):
    longer = changed(run, backbones={"pocket": {"finetune": {"steps": 80}}})
    twice = cost_of(longer, "finetune", FINE_TUNE).flops["fp32"]
    assert twice == 2 * cost_of(run, "finetune", FINE_TUNE).flops["fp32"]


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


def test_real_images_are_compared_half_by_half_twenty_times(run):
    real = run.images_in("twemoji", "test") // 2 * 2
    kid_and_recall, moments = 2 * 1280 * real**2, 2 * 1280**2 * real
    flops = cost_of(run, "measure_real", {"dataset": "twemoji", "size": "64"}).flops["fp32"]
    assert flops == pytest.approx(3 * 20 * (kid_and_recall + moments))


def test_the_metrics_of_a_cell_are_one_job(run):
    quality = cost_of(run, "measure_quality", {"cell": UNCACHED_CELL}).flops["fp32"]
    alone = changed(run, metrics={"sets": ["kid"]})
    assert 0 < cost_of(alone, "measure_quality", {"cell": UNCACHED_CELL}).flops["fp32"] < quality


def test_a_metric_without_a_cost_is_an_error(run):
    with pytest.raises(KeyError, match="beauty"):
        cost_of(changed(run, metrics={"sets": ["beauty"]}), "measure_quality", {"cell": UNCACHED_CELL})


def test_every_rule_has_a_cost_and_every_cost_a_rule():
    text = "\n".join(file.read_text() for file in [ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")])
    rules = set(re.findall(r"^ *(?:rule|checkpoint) (\w+):", text, re.MULTILINE)) - {"all"}
    rules |= set(re.findall(r"^ *use rule \w+ as (\w+) with:", text, re.MULTILINE))
    assert rules == set(COSTS)


def test_shards_cost_what_one_job_does(run):
    prompts = run.drawings[UNCACHED_CELL].prompts
    sharded = changed(run, sampling={"shard": prompts // 2})
    whole = cost_of(run, "sample_seed", {"cell": UNCACHED_CELL, "seed": "0"})
    starts = range(0, prompts, prompts // 2)
    parts = [cost_of(sharded, "sample_shard", {"cell": UNCACHED_CELL, "seed": "0", "start": str(start)}) for start in starts]
    assert len(parts) == 2 and sum(part.written["samples"] for part in parts) == pytest.approx(whole.written["samples"])


def test_chosen_key_steps_cost_their_search_and_count_as_evenly_spread_ones(config):
    """Ten key steps of fifty, evenly spread, lie where those of stride 5 do."""
    run = PlannedRun.from_config(config, known_costs)
    keyed, even = (run.drawings[SAMPLED.format("base", name)].cell for name in ("FD-10keys-cut2-linear", "FD-5-cut2-linear"))
    costs = [cost_of(run, "sample", {"cell": cell.path}) for cell in (keyed, even)]
    assert costs[0] == costs[1]
    search = cost_of(run, "search_key_steps", {"backbone": "pocket", "sampler": keyed.sampler.name})
    assert search.flops["fp32"] == 80 * 10 * 20 * loop_flops(run.networks("pocket"), even.sampler)


def test_timings_are_of_every_sampler_once(run, tiny):
    timed = {"backbone": "pocket", "experiment": "exp1"}
    samplers = {row.cell.sampler for row in run.experiments["exp1"].rows}
    loops = sum(sampling_flops(tiny.unet, s.steps, s.plan or UNCACHED) for s in samplers)
    assert cost_of(run, "measure_cost", timed | {"at": ""}).flops["fp32"] == 9 * (6 * loops + tiny.decode)


def test_every_backbone_and_size_costs_its_own(config):
    two = merged(config, {
        "backbones": {"sd21": {"train": "noto"}},
        "datasets": {"noto": {"prompts": 50}},
        "scenarios": {"hires": {"size": 128}},
        "experiments": {
            "exp1": {"backbones": ["pocket", "sd21"], "datasets": ["twemoji", "noto"], "scenarios": ["clean", "hires"]},
        },
    })  # fmt: skip
    run = PlannedRun.from_config(two, known_costs)
    cells = ["pocket/base/FD-5/twemoji/clean", "pocket/base/FD-5/twemoji/hires", "pocket/base/FD-5/noto/clean"]
    pocket, hires, noto = (cost_of(run, "sample", {"cell": cell}) for cell in cells)
    assert hires.flops["fp32"] == pytest.approx(4 * pocket.flops["fp32"])
    assert noto.written["latents"] == pocket.written["latents"] / 2
    large = cost_of(run, "sample", {"cell": "sd21/base/FD-5/twemoji/clean"})
    assert large.flops["fp32"] > 5000 * pocket.flops["fp32"]
    timed = [cost_of(run, "measure_cost", {"backbone": "pocket", "experiment": "exp1", "at": at}) for at in ("", "_128px")]
    assert timed[1].flops["fp32"] == pytest.approx(4 * timed[0].flops["fp32"])


def test_vector_pictures_take_time_to_draw(run):
    drawn, copied = (cost_of(run, "prepare_data", {"dataset": name, "size": "64"}) for name in ("illustrations", "twemoji"))
    assert 60 < drawn.seconds < 600 and copied.seconds == 0


def test_a_forgotten_rule_is_named(run):
    with pytest.raises(ValueError, match="rule brew_tea has no cost: add it to COSTS"):
        cost_of(run, "brew_tea", {})


def test_a_set_of_unknown_size_is_named(run):
    with pytest.raises(ValueError, match=r"datasets.webdataset.train_images: say how many images"):
        cost_of(run, "encode_data", {"backbone": "pocket", "dataset": "webdataset"})


def test_a_set_costs_the_images_that_are_learned_from(run, tiny):
    few = changed(run, datasets={"webdataset": {"train_images": 70}}, finetune={"mirror": True})
    assert cost_of(few, "encode_data", {"backbone": "pocket", "dataset": "webdataset"}).flops["fp32"] == 2 * 70 * tiny.encode


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


@pytest.mark.parametrize(
    "old, new, says",
    [
        ("fp32: 15.7", "fp32: 0", "cuda.tflops.fp32 = 0"),
        ("fp32: 15.7, ", "", "cuda.tflops = "),
        ("price: 2.45", "price: much", "cuda.price = 'much'"),
        ("fp32: 0.095", "fp32: .inf", "cpu.tflops.fp32 = inf"),
        ("start_seconds: 7", "start_seconds: 7\nstart_seconds: 8", "the key start_seconds is here again"),
    ],
)
def test_a_rate_that_is_no_number_or_is_written_twice_is_named(tmp_path, old, new, says):
    text = (ROOT / "config" / "rates.yaml").read_text()
    assert old in text
    (tmp_path / "rates.yaml").write_text(text.replace(old, new))
    with pytest.raises(ValueError) as raised:
        Rates.read(tmp_path / "rates.yaml")
    assert (
        str(raised.value).startswith(str(tmp_path / "rates.yaml")) and says in str(raised.value) and "\n" not in str(raised.value)
    )
