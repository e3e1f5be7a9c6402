"""Costs of a job by rule: FLOPs of networks, other seconds, and bytes that it writes. A rule without an entry is an error.

No torch: `make plan` and the resources of rules both ask here.

Counted are the passes that a job makes; measured or assumed are the constants, each with its source beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fcr_core.cost.plan_flops import sampling_flops
from fcr_core.data.registry import DATASETS
from fcr_core.experiment.recipe import Recipe
from fcr_core.features.registry import EXTRACTORS
from fcr_core.planning import set_metric_costs as set_costs
from fcr_core.planning.network_costs import NetworkCosts, table
from fcr_core.planning.planned_run import PNG_BYTES_A_PIXEL, UNCACHED, PlannedRun, launched, loop_flops, samplers_of
from fcr_core.training.embedded import EMBEDDED

# Plans that the search for key steps tries a key step: about 200 for ten (docs/recipe.md).
PLANS_A_KEY = 20
# A pair of images, by its pixels: FLOPs of ST-LPIPS with AlexNet (counted at 512 px), seconds of SSIM (measured, one thread).
PAIR_FLOPS_A_PIXEL, PAIR_SECONDS_A_PIXEL = 3.0e5, 3e-7
# A good image out of the links of LAION: 30 a second and 0.3 MB, assumed.
DOWNLOAD_SECONDS, DOWNLOAD_BYTES = 1 / 30, 300_000
# A vector picture, drawn by resvg and written as PNG (measured at 64 px, one thread).
DRAWING_SECONDS = 0.006
# Beside a training step's activations: weights, two moments and the average, float32, in its checkpoint.
CHECKPOINT_COPIES = 4


@dataclass(frozen=True)
class JobCost:
    """The work of one job.

    Args:
        flops: of networks, by precision (fp32, bf16, fp16).
        seconds: of other work, on a CPU thread.
        written: bytes by kind.
        scratch: bytes that lie beside the output only while the job runs.
    """

    flops: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    written: Mapping[str, float] = field(default_factory=dict)
    scratch: float = 0.0


def step_factor(recipe: Recipe) -> float:
    """Divide the cost of a step by that of plain fine-tuning, as measured: docs/recipe.md, "What a fine-tune step costs"."""
    if recipe.trains == "decoder":
        return 1.7
    noised = 1.15 if recipe.stop_grad or not recipe.lam else 1.43 if recipe.trains == "lora" else 1.35
    factor = 1.67 if recipe.lam and recipe.source == "rollout" else noised
    return factor + 0.3 * bool(recipe.preserve) + (3.84 - 1) * bool(recipe.decoding)


Wildcards = Mapping[str, str]


def sample(run: PlannedRun, w: Wildcards) -> JobCost:
    """Draw a cell: all seeds in one job, or one seed (`seed`), or a shard of one (`start`)."""
    drawing, section = run.drawings[w["cell"]], run.config["sampling"]
    networks, sampler = run.networks_of(drawing.cell), drawing.cell.sampler
    left, seeds = drawing.prompts - int(w.get("start", 0)), 1 if "seed" in w else len(drawing.seeds)
    images = min(left, section["shard"]) if "start" in w else left
    flops = seeds * launched(images, networks) * (loop_flops(networks, sampler) + networks.decode)
    samples, latents = seeds * images * networks.pixels * PNG_BYTES_A_PIXEL, seeds * images * 4 * networks.latent
    kept = {"samples": samples} if section["keep_images"] else {}
    return JobCost({"fp32": flops}, written=kept | {"latents": latents}, scratch=samples + latents)


def finetune(run: PlannedRun, w: Wildcards) -> JobCost:
    tune, networks = run.fine_tunes[w["backbone"], w["recipe"]], run.networks(w["backbone"])
    recipe, training = tune.parsed, tune.training
    passes = training["steps"] * training["batch"] * training.get("accumulate", 1)
    flops = {training.get("precision", "fp32"): passes * 3 * networks.unet.full * step_factor(recipe)}
    if not run.config["finetune"]["cache_latents"]:
        flops["fp32"] = flops.get("fp32", 0) + passes * networks.encode
    if tune.validated:
        validations = training["steps"] // training["validate_every"]
        images = validations * launched(run.config["finetune"]["validation_prompts"], networks)
        loop = sampling_flops(networks.unet, run.config["sampling"]["steps"], recipe.plan, guided(run, w["backbone"]))
        flops["fp32"] = flops.get("fp32", 0) + images * loop
    weights = 4 * networks.parameters
    return JobCost(flops, written={"weights": weights}, scratch=CHECKPOINT_COPIES * weights)


def guided(run: PlannedRun, backbone: str) -> bool:
    return run.backbones[backbone].guidance > 1


def sample_trajectories(run: PlannedRun, w: Wildcards) -> JobCost:
    networks, steps = run.networks(w["backbone"]), run.config["sampling"]["steps"]
    counts = {
        "train": run.config["finetune"]["trajectories"],
        "validation": run.config["finetune"]["validation_prompts"],
        "key_search": run.config["key_search"]["prompts"],
    }
    count = counts[w["purpose"]]
    latents = steps + 1 if w["purpose"] == "train" else 2
    size = 4 * count * (latents * networks.latent + networks.text)
    flops = launched(count, networks) * sampling_flops(networks.unet, steps, UNCACHED, guided(run, w["backbone"]))
    return JobCost({"fp32": flops}, written={"trajectories": size}, scratch=size)


def search_key_steps(run: PlannedRun, w: Wildcards) -> JobCost:
    networks, sampler = run.networks(w["backbone"]), run.searched[w["backbone"], w["sampler"]]
    assert sampler.plan is not None and sampler.plan.keys.count is not None
    images = launched(run.config["key_search"]["prompts"], networks) * PLANS_A_KEY * sampler.plan.keys.count
    return JobCost({"fp32": images * loop_flops(networks, sampler)})


def measure_variance(run: PlannedRun, w: Wildcards) -> JobCost:
    """σ²_Δ of every seed's weights: each image is encoded, and goes once through the UNet's encoder, then once a Δ."""
    networks, section = run.networks(run.models[w["model"]].backbone), run.config["metrics"]
    each = networks.encode + (1 + len(section["deltas"])) * networks.unet.encoder
    return JobCost({"fp32": run.fine_tunes_of[w["model"]] * section["variance_images"] * each})


def measure_cost(run: PlannedRun, w: Wildcards) -> JobCost:
    """Every way of sampling: rounds that count, one that warms up, and one for memory, with its decoding to pixels."""
    experiment = run.experiments[w["experiment"]]
    assert experiment.cost is not None
    networks = run.networks(w["backbone"], timed_side(w))
    loops = sum(loop_flops(networks, sampler) for sampler in samplers_of([experiment], w["backbone"]))
    images = sum(experiment.cost.batches)
    return JobCost({"fp32": images * ((experiment.cost.repeats + 2) * loops + networks.decode)})


def timed_side(w: Wildcards) -> int | None:
    """The side in pixels that `_1024px` says; None for the backbone's own."""
    return int(w["at"][1:-2]) if w.get("at") else None


def encode(networks: NetworkCosts, images: int, copies: int = 1) -> JobCost:
    """Encode images, each in so many copies (2 with its mirror image), and their captions in half precision."""
    size = images * (4 * copies * networks.latent + 2 * networks.text)
    return JobCost({"fp32": copies * images * networks.encode}, written={"encoded training set": size})


def encode_data(run: PlannedRun, w: Wildcards) -> JobCost:
    """Encode a training split, for fine-tunes or to train an embedded backbone from nothing."""
    if "embedded" in w:
        return encode(table()[w["embedded"]], sum(run.images_in(name, "train") for name in EMBEDDED[w["embedded"]].unet.data))
    copies = 1 + run.config["finetune"].get("mirror", False)
    return encode(run.networks(w["backbone"]), run.images_in(w["dataset"], "train"), copies)


def row_bytes(rows: int, extractor: str) -> int:
    return 4 * rows * EXTRACTORS[extractor].row


def extracted(run: PlannedRun, extractor: str, images: int) -> JobCost:
    flops = {run.config["metrics"]["precision"]: images * EXTRACTORS[extractor].flops}
    return JobCost(flops, written={"features": row_bytes(images, extractor)})


def sample_features(run: PlannedRun, w: Wildcards) -> JobCost:
    drawing = run.drawings[w["cell"]]
    return extracted(run, w["extractor"], len(drawing.seeds) * drawing.prompts)


def real_features(run: PlannedRun, w: Wildcards) -> JobCost:
    return extracted(run, w["extractor"], run.images_in(w["dataset"], w["split"]))


def text_features(run: PlannedRun, w: Wildcards) -> JobCost:
    texts = sum(run.images_in(w["dataset"], split) for split in ("train", "test"))
    flops = {run.config["metrics"]["precision"]: texts * (EXTRACTORS[w["extractor"]].text_flops or 0)}
    return JobCost(flops, written={"features": row_bytes(texts, w["extractor"])})


def measure_quality(run: PlannedRun, w: Wildcards) -> JobCost:
    """All metrics of sets of a cell; its image-text score, which is linear in the images, counts as nothing."""
    drawing, section = run.drawings[w["cell"]], run.config["metrics"]
    real, width = run.images_in(drawing.cell.setting.dataset, "test"), EXTRACTORS[section["extractor"]].width
    counted = (set_costs.of_variation(metric, drawing.prompts, len(drawing.seeds), real, width) for metric in section["sets"])
    return JobCost({"fp32": sum(counted)})


def measure_real(run: PlannedRun, w: Wildcards) -> JobCost:
    real, section = run.images_in(w["dataset"], "test"), run.config["metrics"]
    return JobCost({"fp32": set_costs.of_halves(section["sets"], real, EXTRACTORS[section["extractor"]].width)})


def measure_pairs(run: PlannedRun, w: Wildcards) -> JobCost:
    """Compare with the images of the published weights, and those of other weights with their own few uncached ones."""
    drawing = run.drawings[w["cell"]]
    row = run.rows.get(w["cell"])
    own = run.drawings[row.twin.path].prompts if row and row.twin != row.base else 0
    pixels = len(drawing.seeds) * (drawing.prompts + own) * run.networks_of(drawing.cell).pixels
    return JobCost({"fp32": pixels * PAIR_FLOPS_A_PIXEL}, pixels * PAIR_SECONDS_A_PIXEL)


def download_laion(run: PlannedRun, w: Wildcards) -> JobCost:
    images = run.images_in("laion", "train")
    return JobCost(seconds=images * DOWNLOAD_SECONDS, written={"downloaded images": images * DOWNLOAD_BYTES})


def prepare_data(run: PlannedRun, w: Wildcards) -> JobCost:
    """Draw vector pictures; other sets take seconds."""
    dataset = DATASETS[w["dataset"]]
    return JobCost(seconds=DRAWING_SECONDS * sum(dataset.images or ()) * (dataset.reads == "download"))


def imports_alone(run: PlannedRun, w: Wildcards) -> JobCost:
    """A job of seconds, most of them imports."""
    return JobCost()


def pretrain_vae(run: PlannedRun, w: Wildcards) -> JobCost:
    return JobCost(seconds=EMBEDDED[w["embedded"]].vae.hours * 3600)


def pretrain_unet(run: PlannedRun, w: Wildcards) -> JobCost:
    return JobCost(seconds=EMBEDDED[w["embedded"]].unet.hours * 3600)


SECONDS_LONG = (
    "backbone_card", "build_report", "cost_table", "download_illustrations", "explain_columns", "export_model",
    "mechanism_tables", "merge_samples", "plot_figure", "plot_samples", "select_prompts", "select_search_prompts", "table",
    "train_lit",
)  # fmt: skip
COSTS: dict[str, Callable[[PlannedRun, Wildcards], JobCost]] = {
    **dict.fromkeys(SECONDS_LONG, imports_alone),
    **dict.fromkeys(("sample", "sample_seed", "sample_shard"), sample),
    **dict.fromkeys(("encode_data", "encode_for_pretraining"), encode_data),
    "download_laion": download_laion,
    "finetune": finetune,
    "measure_cost": measure_cost,
    "measure_pairs": measure_pairs,
    "measure_quality": measure_quality,
    "measure_real": measure_real,
    "measure_variance": measure_variance,
    "prepare_data": prepare_data,
    "pretrain_unet": pretrain_unet,
    "pretrain_vae": pretrain_vae,
    "real_features": real_features,
    "sample_features": sample_features,
    "sample_trajectories": sample_trajectories,
    "search_key_steps": search_key_steps,
    "text_features": text_features,
}


def cost_of(run: PlannedRun, rule: str, wildcards: Wildcards) -> JobCost:
    """Cost a job. Raises `ValueError` for a rule that no cost is known of."""
    if rule not in COSTS:
        raise ValueError(f"rule {rule} has no cost: add it to COSTS in fcr_core/planning/job_costs.py")
    return COSTS[rule](run, wildcards)
