"""What a job of each rule costs: FLOPs of networks, other seconds, and bytes that it writes. A rule without an entry is an error.

Counted are the passes that a job makes; measured or assumed are the constants, each with its source beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fcr_core.caching.plan import KeySteps, Plan
from fcr_core.experiment.recipe import Recipe
from fcr_core.experiment.rows import cell_plans, deltas_of
from fcr_core.features.registry import EXTRACTORS
from fcr_core.planning import set_metric_costs as set_costs
from fcr_core.planning.planned_experiment import Experiment, grid_plan, plan_of_row
from fcr_core.tables.plane import points_of

# Plans that the search for key steps tries a key step: about 200 for ten (docs/recipe.md).
PLANS_A_KEY = 20
# A pair of images, by its pixels: FLOPs of ST-LPIPS with AlexNet (counted at 512 px), seconds of SSIM (measured, one thread).
PAIR_FLOPS_A_PIXEL, PAIR_SECONDS_A_PIXEL = 3.0e5, 3e-7
# A good image out of the links of LAION: 30 a second and 0.3 MB, assumed.
DOWNLOAD_SECONDS, DOWNLOAD_BYTES = 1 / 30, 300_000
# The backbone's own training, 2 cores (models/pocket/README.md).
PRETRAINING_SECONDS = {"pretrain_vae": 0.35 * 3600, "pretrain_unet": 1.67 * 3600}
# Beside a training step's activations: weights, two moments and the average, float32, in its checkpoint.
CHECKPOINT_COPIES = 4


@dataclass(frozen=True)
class JobCost:
    """`flops` of networks by precision (fp32, bf16, fp16), `seconds` of other work on a CPU thread, bytes `written` by kind.

    `scratch`: bytes that lie beside the output only while the job runs.
    """

    flops: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    written: Mapping[str, float] = field(default_factory=dict)
    scratch: float = 0.0


def step_factor(recipe: Recipe) -> float:
    """Cost of a step against one of plain fine-tuning, as measured: docs/recipe.md, "What a fine-tune step costs"."""
    if recipe.trains == "decoder":
        return 1.7
    noised = 1.15 if recipe.stop_grad or not recipe.lam else 1.43 if recipe.trains == "lora" else 1.35
    factor = 1.67 if recipe.lam and recipe.source == "rollout" else noised
    return factor + 0.3 * bool(recipe.preserve) + (3.84 - 1) * bool(recipe.decoding)


def sample(e: Experiment, w: Mapping[str, str]) -> JobCost:
    return drawn(e, w["variation"], e.images_of(w["variation"]))


def sample_shard(e: Experiment, w: Mapping[str, str]) -> JobCost:
    left = e.images_of(w["variation"]) - int(w["start"])
    return drawn(e, w["variation"], min(left, e.config["sampling"]["shard"]))


def drawn(e: Experiment, variation: str, images: int) -> JobCost:
    row = e.sampled[variation]
    flops = e.launched(images, e.config["sampling"]["batch"]) * (e.sampling(plan_of_row(row), row.steps) + e.networks.decode)
    samples, latents = e.png(images), 4 * images * e.networks.latent
    kept = {"samples": samples} if e.config["sampling"]["keep_images"] else {}
    return JobCost({"fp32": flops}, written=kept | {"latents": latents}, scratch=samples + latents)


def finetune(e: Experiment, w: Mapping[str, str]) -> JobCost:
    tune = e.tunes[w["recipe"]]
    recipe, training = Recipe(**tune.recipe), tune.training
    passes = training["steps"] * training["batch"] * training.get("accumulate", 1)
    flops = {training.get("precision", "fp32"): passes * 3 * e.networks.unet.full * step_factor(recipe)}
    if not e.config["data"]["cache_latents"]:
        flops["fp32"] = flops.get("fp32", 0) + passes * e.networks.encode
    if tune.validated:
        plan = Plan(KeySteps.uniform(recipe.stride), recipe.cut, recipe.reuse, recipe.nodes)
        validations = training["steps"] // training["validate_every"] * e.launched(e.config["finetune"]["validation_prompts"])
        flops["fp32"] = flops.get("fp32", 0) + validations * e.sampling(plan)
    weights = 4 * e.networks.parameters
    return JobCost(flops, written={"weights": weights}, scratch=CHECKPOINT_COPIES * weights)


def sample_trajectories(e: Experiment, w: Mapping[str, str]) -> JobCost:
    section, steps = e.config["finetune"], e.config["sampling"]["steps"]
    counts = {
        "train": section["trajectories"],
        "validation": section["validation_prompts"],
        "key_search": e.config["key_search"]["prompts"],
    }
    count = counts[w["purpose"]]
    latents = steps + 1 if w["purpose"] == "train" else 2
    size = 4 * count * (latents * e.networks.latent + e.networks.text)
    flops = e.launched(count) * e.sampling(Plan(KeySteps.uniform(1)))
    return JobCost({"fp32": flops}, written={"trajectories": size}, scratch=size)


def search_key_steps(e: Experiment, w: Mapping[str, str]) -> JobCost:
    row = next(row for row in e.sampled.values() if row.sampler == w["sampler"])
    images = e.launched(e.config["key_search"]["prompts"]) * PLANS_A_KEY * (row.keys or 0)
    return JobCost({"fp32": images * e.sampling(plan_of_row(row))})


def variance(e: Experiment, images: int, deltas: int) -> float:
    """FLOPs of σ²_Δ: each image encoded, and the UNet's encoder once, then once a Δ."""
    return images * (e.networks.encode + (1 + deltas) * e.networks.unet.encoder)


def cell(e: Experiment, recipe: str | None, uncached: bool) -> JobCost:
    """A cell of the ablation grid: every plan, the uncached run if the weights are new, σ²_Δ, and distances."""
    section = e.config["ablations"]
    plans = [grid_plan(plan) for plan in cell_plans(e.config, recipe).values()] + [Plan(KeySteps.uniform(1))] * uncached
    images, each = section["prompts"], 4 * e.networks.latent + 3 * e.networks.pixels
    drawn = e.launched(images) * sum(e.sampling(plan) + e.networks.decode for plan in plans)
    compared = images * len(plans) * e.networks.pixels * PAIR_FLOPS_A_PIXEL
    flops = drawn + compared + variance(e, images, len(section["deltas"]))
    return JobCost({"fp32": flops}, scratch=images * len(plans) * each)


def measure_cell(e: Experiment, w: Mapping[str, str]) -> JobCost:
    return cell(e, w["recipe"], uncached=e.tunes[w["recipe"]].recipe.get("trains") != "decoder")


def measure_variance(e: Experiment, w: Mapping[str, str]) -> JobCost:
    trained = {tune.label for tune in e.tunes.values() if tune.recipe.get("trains") != "decoder"}
    flops = variance(e, e.config["metrics"]["variance_images"], len(deltas_of(e.config)))
    return JobCost({"fp32": flops * (e.seeds if w["model"] in trained else 1)})


def measure_efficiency(e: Experiment, w: Mapping[str, str]) -> JobCost:
    """Every way of sampling: rounds that count, one that warms up, and one for memory, with its decoding to pixels."""
    section = e.config["efficiency" if w["table"] == "exp1" else "recipe_table"]
    ways = {row.sampler: row for row in e.tables[w["table"]].values()}.values()
    loop = sum(e.sampling(plan_of_row(row), row.steps) for row in ways)
    # By area: attention, which grows faster, is at 1024 px more than is counted here.
    area = int(w["at"][1:-2]) ** 2 * e.networks.frames / e.networks.pixels if w["at"] else 1
    return JobCost({"fp32": area * sum(section["batches"]) * ((section["repeats"] + 2) * loop + e.networks.decode)})


def sampler_plane(e: Experiment, w: Mapping[str, str]) -> JobCost:
    plane, steps = e.config["plane"], e.config["sampling"]["steps"]
    points = points_of(plane, steps)
    loops = [e.sampling(Plan(KeySteps.uniform(p.stride), p.cut, p.reuse, p.nodes, p.live), p.steps) for p in points]
    drawn = e.launched(plane["prompts"]) * sum(loop + e.networks.decode for loop in loops)
    timed = plane["batch"] * (plane["repeats"] + 1) * sum(loops)
    pairs = plane["prompts"] * len(points)
    each = 4 * e.networks.latent + 3 * e.networks.pixels
    return JobCost({"fp32": drawn + timed + pairs * e.networks.pixels * PAIR_FLOPS_A_PIXEL}, scratch=pairs * each)


def encode(e: Experiment, dataset: str, count: int, mirrored: bool) -> JobCost:
    copies = 1 + mirrored
    size = count * (4 * copies * e.networks.latent + 2 * e.networks.text)
    return JobCost({"fp32": copies * count * e.networks.encode}, written={"encoded training set": size})


def encode_data(e: Experiment, w: Mapping[str, str]) -> JobCost:
    data = e.config["data"]
    count = data.get("train_images") or e.images_in(w["dataset"], "train")
    return encode(e, w["dataset"], count, data.get("mirror", False))


def row_bytes(rows: int, extractor: str) -> int:
    return 4 * rows * EXTRACTORS[extractor].row


def extracted(e: Experiment, extractor: str, images: int) -> JobCost:
    precision = e.config["metrics"]["precision"]
    written = {"features": row_bytes(images, extractor)}
    return JobCost({precision: images * EXTRACTORS[extractor].flops}, written=written)


def sample_features(e: Experiment, w: Mapping[str, str]) -> JobCost:
    return extracted(e, w["extractor"], e.seeds * e.images_of(w["variation"]))


def real_features(e: Experiment, w: Mapping[str, str]) -> JobCost:
    return extracted(e, w["extractor"], e.images_in(w["dataset"], w["split"]))


def text_features(e: Experiment, w: Mapping[str, str]) -> JobCost:
    texts, precision = sum(e.images_in(w["dataset"], split) for split in ("train", "test")), e.config["metrics"]["precision"]
    flops = texts * (EXTRACTORS[w["extractor"]].text_flops or 0)
    return JobCost({precision: flops}, written={"features": row_bytes(texts, w["extractor"])})


def measure_set(e: Experiment, w: Mapping[str, str]) -> JobCost:
    real, extractor = e.images_in(e.config["data"]["eval"], "test"), e.config["metrics"]["extractor"]
    flops = set_costs.of_variation(w["metric"], e.images_of(w["variation"]), e.seeds, real, EXTRACTORS[extractor].width)
    return JobCost({"fp32": flops})


def measure_real(e: Experiment, w: Mapping[str, str]) -> JobCost:
    real, section = e.images_in(e.config["data"]["eval"], "test"), e.config["metrics"]
    return JobCost({"fp32": set_costs.of_halves(section["sets"], real, EXTRACTORS[section["extractor"]].width)})


def measure_pairs(e: Experiment, w: Mapping[str, str]) -> JobCost:
    """To the base model's images, and for other weights to their own few uncached ones."""
    row = e.sampled[w["variation"]]
    own = e.config["sampling"]["twin_prompts"] if row.recipe else 0
    pixels = e.seeds * (e.images_of(row.name) + own) * e.networks.pixels
    return JobCost({"fp32": pixels * PAIR_FLOPS_A_PIXEL}, pixels * PAIR_SECONDS_A_PIXEL)


def download_laion(e: Experiment, w: Mapping[str, str]) -> JobCost:
    images = e.images_in("laion", "train")
    return JobCost(seconds=images * DOWNLOAD_SECONDS, written={"downloaded images": images * DOWNLOAD_BYTES})


def imports_alone(e: Experiment, w: Mapping[str, str]) -> JobCost:
    """Seconds, most of them imports."""
    return JobCost()


SECONDS_LONG = (
    "all", "ablation_tables", "backbone_card", "build_report", "cost_table", "explain_columns", "export_model",
    "measure_image_text", "merge_samples", "plot_ablations", "plot_plane", "plot_samples", "plot_tradeoff", "prepare_data",
    "recipe_criteria", "select_prompts", "select_search_prompts", "table", "train_lit",
)  # fmt: skip
COSTS: dict[str, Callable[[Experiment, Mapping[str, str]], JobCost]] = {
    **dict.fromkeys(SECONDS_LONG, imports_alone),
    "pretrain_unet": lambda e, w: JobCost(seconds=PRETRAINING_SECONDS["pretrain_unet"]),
    "pretrain_vae": lambda e, w: JobCost(seconds=PRETRAINING_SECONDS["pretrain_vae"]),
    "download_laion": download_laion,
    "encode_data": encode_data,
    "encode_for_pretraining": lambda e, w: encode(e, "twemoji", e.images_in("twemoji", "train"), False),
    "finetune": finetune,
    "measure_base": lambda e, w: cell(e, None, uncached=True),
    "measure_cell": measure_cell,
    "measure_efficiency": measure_efficiency,
    "measure_pairs": measure_pairs,
    "measure_real": measure_real,
    "measure_set": measure_set,
    "measure_variance": measure_variance,
    "real_features": real_features,
    "sample": sample,
    "sample_features": sample_features,
    "sample_shard": sample_shard,
    "sample_trajectories": sample_trajectories,
    "sampler_plane": sampler_plane,
    "search_key_steps": search_key_steps,
    "text_features": text_features,
}


def cost_of(experiment: Experiment, rule: str, wildcards: Mapping[str, str]) -> JobCost:
    """Raises `ValueError` for a rule that no cost is known of."""
    if rule not in COSTS:
        raise ValueError(f"rule {rule} has no cost: add it to COSTS in fcr_core/planning/job_costs.py")
    return COSTS[rule](experiment, wildcards)
