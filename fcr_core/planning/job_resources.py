"""Memory and minutes that a job asks for, by its rule and its backbone. No torch: rules call it while the DAG is built.

    RESOURCES = JobResources(PlannedRun(config, EXPERIMENTS, DRAWINGS, BACKBONES_USED, FINE_TUNES, known_costs), Rates.read(file))

    resources:
        mem_mb=RESOURCES.mem_mb("sample"),
        runtime=RESOURCES.minutes("sample"),

A cluster's profile submits a failed job again: each attempt asks for more, but for no more than the cluster's largest partition
gives one job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from fcr_core.features.registry import EXTRACTORS
from fcr_core.planning.job_costs import Wildcards, cost_of, timed_side
from fcr_core.planning.network_costs import NetworkCosts, table
from fcr_core.planning.partitions import Partition, memory_given, minutes_given
from fcr_core.planning.planned_run import PlannedRun, UnknownSize, launch_size
from fcr_core.planning.rates import Rates

# Resident bytes of imports: measured on a CPU (docs/backbones.md); those of CUDA beside them are assumed.
LIBRARIES, CUDA_LIBRARIES = 1.0e9, 2.0e9
# Loading takes the weights twice, in float32: a file is mapped beside the networks (measured, SD v1.5: docs/backbones.md).
LOADED = 2 * 4
# A fine-tune on a CPU: weights, gradients, two moments, and the average or the published weights.
TRAINED = 5 * 4
# An image that is drawn, by its pixels: 3,070 for the VAE of SD, 2,780 for the pocket UNet with FD-10 (peak_memory.py).
DRAWN_BYTES_A_PIXEL = 3100
# A sample that is trained on, by the FLOPs of a UNet pass: 2.4e-3 for SD v1.5, 6.8e-3 for the small pocket (peak_memory.py).
TRAINED_BYTES_A_FLOP = 2.5e-3
# Features are read in float32, and their metrics work in float64 with a copy.
BYTES_A_FEATURE = 4 + 2 * 8
# What no network explains, as measured or with room: pretraining of embedded backbones, and metadata of LAION.
FIXED = {"pretrain_vae": 4e9, "pretrain_unet": 4e9, "backbone_card": 4e9, "download_laion": 8e9}
MARGIN, STEP_MB, LEAST_MB = 1.25, 500, 2000
# Asked for by jobs on a data set whose size only its files say.
UNKNOWN = {"memory_mb": 8000, "_planned": 240}
# Twice the planned time, at least half an hour, and at most the day that `profiles/slurm/partitions.yaml` allows: fine-tunes and
# samples go on from where they were cut off.
SLOWER, LEAST_MINUTES, MOST_MINUTES = 2, 30, 1440

DRAWS = ("sample", "sample_seed", "sample_shard", "sample_trajectories", "search_key_steps")
LOADS = (*DRAWS, "encode_data", "encode_for_pretraining", "export_model", "finetune", "measure_cost", "measure_variance")
EXTRACTS = ("sample_features", "real_features", "text_features")
# The rules that compute on the configured device.
ON_DEVICE = {*LOADS, *EXTRACTS, "measure_pairs"} - {"export_model"}


@dataclass(frozen=True, eq=False)
class JobResources:
    """Resources of the jobs of a run.

    Args:
        run: the run, its networks as `known_costs` gives them.
        rates: speeds of the machine.
        partitions: lists what the cluster's partitions give one job, when a job asks; none without a cluster of partitions.
    """

    run: PlannedRun
    rates: Rates
    partitions: Callable[[], Sequence[Partition]] = tuple
    _known: dict[Any, int] = field(default_factory=dict)

    def mem_mb(self, rule: str) -> Callable[[Any, int], int]:
        """Host memory of the rule's jobs, a function of wildcards and attempt as Snakemake wants it."""

        def asked(wildcards: Any, attempt: int) -> int:
            memory = attempt * self._once(memory_mb, rule, wildcards)
            return memory_given(memory, self._gpus(rule), self.partitions())

        return asked

    def minutes(self, rule: str) -> Callable[[Any, int], int]:
        """Time of the rule's jobs, likewise."""
        memory = self.mem_mb(rule)

        def asked(wildcards: Any, attempt: int) -> int:
            time = min(MOST_MINUTES, attempt * self._once(self._planned, rule, wildcards))
            return minutes_given(time, memory(wildcards, attempt), self._gpus(rule), self.partitions())

        return asked

    def _gpus(self, rule: str) -> int:
        if rule not in ON_DEVICE or self.run.config["device"] != "cuda":
            return 0
        return self.run.config["finetune"].get("gpus", 1) if rule == "finetune" else 1

    def _planned(self, run: PlannedRun, rule: str, wildcards: Wildcards) -> int:
        return minutes(run, self.rates, rule, wildcards)

    def _once(self, count: Callable[[PlannedRun, str, Wildcards], int], rule: str, wildcards: Any) -> int:
        """Count for a rule and its wildcards once: jobs that differ in seed or shard need the same."""
        given = dict(wildcards.items())
        given |= {name: "0" for name in ("seed", "start") if name in given}
        key = (count.__name__, rule, *given.values())
        if key not in self._known:
            try:
                self._known[key] = count(self.run, rule, given)
            except UnknownSize:
                self._known[key] = UNKNOWN[count.__name__]
        return self._known[key]


def minutes(run: PlannedRun, rates: Rates, rule: str, wildcards: Wildcards) -> int:
    """Minutes to ask for. Raises `ValueError` for a rule that no cost is known of."""
    cost = cost_of(run, rule, wildcards)
    hours = rates.hours(cost, rule in ON_DEVICE and run.config["device"] == "cuda", run.config["threads"])
    return min(MOST_MINUTES, max(LEAST_MINUTES, ceil(SLOWER * 60 * hours)))


def memory_mb(run: PlannedRun, rule: str, wildcards: Wildcards) -> int:
    """Host memory to ask for in MB, in steps of 500."""
    own = FIXED.get(rule) or bytes_needed(run, rule, wildcards)
    cuda = CUDA_LIBRARIES * (rule in ON_DEVICE and run.config["device"] == "cuda")
    return max(LEAST_MB, STEP_MB * ceil(MARGIN * (LIBRARIES + cuda + own) / 1e6 / STEP_MB))


def bytes_needed(run: PlannedRun, rule: str, wildcards: Wildcards) -> float:
    """Bytes of host memory beside libraries."""
    if rule in LOADS:
        return networks_and_data(run, rule, wildcards)
    if rule in EXTRACTS:
        rows = cost_of(run, rule, wildcards).written["features"]
        return LOADED * EXTRACTORS[wildcards["extractor"]].parameters + 2 * rows
    if rule in ("measure_quality", "measure_real"):
        return BYTES_A_FEATURE * features_read(run, wildcards)
    if rule == "measure_pairs" and run.config["device"] == "cpu":
        return images_at_once(run, rule, wildcards) * networks_of_job(run, wildcards).pixels * DRAWN_BYTES_A_PIXEL
    return 0


def networks_and_data(run: PlannedRun, rule: str, wildcards: Wildcards) -> float:
    """Bytes of a job that loads a backbone: its weights, what it reads or makes as a whole, and on a CPU its activations."""
    networks = networks_of_job(run, wildcards)
    held = LOADED * (networks.parameters + networks.others) + arrays(run, rule, wildcards)
    if run.config["device"] == "cuda" or rule == "export_model":
        return held
    if rule == "finetune":
        batch = run.fine_tunes[wildcards["backbone"], wildcards["recipe"]].training["batch"]
        activations = batch * TRAINED_BYTES_A_FLOP * networks.unet.full
        return max(held, TRAINED * networks.parameters + arrays(run, rule, wildcards)) + activations
    return held + images_at_once(run, rule, wildcards) * networks.pixels * DRAWN_BYTES_A_PIXEL


def networks_of_job(run: PlannedRun, wildcards: Wildcards) -> NetworkCosts:
    """Cost the networks of a job, at the size of images that it draws."""
    if "cell" in wildcards:
        return run.networks_of(run.drawings[wildcards["cell"]].cell)
    if "embedded" in wildcards:  # trained from nothing
        return table()[wildcards["embedded"]]
    backbone = wildcards.get("backbone") or wildcards["model"].split("/")[0]
    return run.networks(backbone, timed_side(wildcards))


def arrays(run: PlannedRun, rule: str, wildcards: Wildcards) -> float:
    """Bytes of data that a job holds as a whole."""
    if rule in ("encode_data", "sample_trajectories"):
        return 2 * sum(cost_of(run, rule, wildcards).written.values())
    if rule == "finetune" and run.config["finetune"]["cache_latents"]:
        read = {"backbone": wildcards["backbone"], "dataset": wildcards["train"]}
        return sum(cost_of(run, "encode_data", read).written.values())
    return 0


def images_at_once(run: PlannedRun, rule: str, wildcards: Wildcards) -> int:
    """Images, or clips, that a job has in memory."""
    if rule == "measure_cost":
        cost = run.experiments[wildcards["experiment"]].cost
        assert cost is not None
        return max(cost.batches)
    return launch_size(networks_of_job(run, wildcards))


def features_read(run: PlannedRun, wildcards: Mapping[str, str]) -> float:
    """Numbers in the features that the metrics of a cell, or of a data set, read."""
    drawing = run.drawings.get(wildcards.get("cell", ""))
    drawn = len(drawing.seeds) * drawing.prompts if drawing else 0
    dataset = drawing.cell.setting.dataset if drawing else wildcards["dataset"]
    return (drawn + run.images_in(dataset, "test")) * EXTRACTORS[run.config["metrics"]["extractor"]].width
