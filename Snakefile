# Experiment 1: does FCR keep the quality of FD-5 at stride 10? The structure is drawn in docs/architecture.md.
#
#   snakemake --cores 1 --resources gpu=1 results/exp1_table.csv

import gc
import json
import re
import sys
from functools import cache
from pathlib import Path

from fcr_core.experiment import rows
from fcr_core.backbones.registry import BACKBONES
from fcr_core.backbones.weights_hash import content_hash, remembered_hash
from fcr_core.jobs.code_hash import code_hash, package_versions
from fcr_core.jobs.local_server import LocalServer, wanted
from fcr_core.experiment.schema import ConfigError, check
from fcr_core.experiment.rules import IN_IMAGE_TEXT_SPACE
from fcr_core.data import DATASETS
from fcr_core.experiment.recipe import Recipe

# The jobs of a DAG are made to stay: looking through them for garbage was a quarter of the time that 20,000 took.
gc.set_threshold(1_000_000)


configfile: "config.yaml"


try:
    check(config, sorted(BACKBONES), sorted(DATASETS))
except ConfigError as error:
    sys.exit(f"snakemake: {error}")


wildcard_constraints:
    dataset="|".join(DATASETS),
    extractor=r"\w+",
    seed=r"\d+",
    start=r"\d+",
    split="train|test",
    table="exp1|recipe",
    at=r"|_\d+px",
    page="report|recipe_report",


BACKBONE = config["backbone"]
PIPELINE = BACKBONES[BACKBONE].location(
    config.get("backbone_source"), config.get("backbone_revision"), config.get("backbone_adapter")
)
# By content, not by time: a checkout or a `touch` must not look like new weights.
WEIGHTS = remembered_hash(PIPELINE, Path(".snakemake/fcr_weights.json"))
SEEDS = config["seeds"]
VARIATIONS = rows.variations_of(config)
FINE_TUNES = rows.fine_tunes_of(config)
RECIPE_ROWS = rows.recipe_rows_of(config, FINE_TUNES)
UNCACHED = rows.uncached_name(config)
GOAL = rows.quality_goal(config)
TRAIN, EVAL = config["data"]["train"], config["data"]["eval"]
# On a CPU jobs share the machine by cores; `gpu` only counts where there is one.
GPUS = int(config["device"] == "cuda")
VERSIONS = package_versions("torch", "diffusers", "transformers", "numpy")
ENV = "../envs/environment.yaml"


include: "rules/common.smk"


# glibc gives every large tensor back to the kernel and takes it again: 10 % of a UNet pass on a CPU. Harmless elsewhere.
# Of progress bars, once a second is enough for a log.
JOB_ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "8000000000",
    "TQDM_MININTERVAL": "1",
}
shell.prefix(f"export {' '.join(f'{name}={value}' for name, value in JOB_ENVIRONMENT.items())}; set -euo pipefail; ")

JOB_SERVER = LocalServer()


onstart:
    if wanted(workflow):
        JOB_SERVER.start(JOB_ENVIRONMENT)


onsuccess:
    JOB_SERVER.stop()


onerror:
    JOB_SERVER.stop()


rule all:
    default_target: True
    input:
        "results/exp1_table.csv",
        "results/README.md",
        "results/figures/exp1_tradeoff.png",
        "results/figures/exp1_samples.png",
        "results/report.html",
        expand("results/cost_{size}px.csv", size=config["efficiency"].get("sizes", [])),


include: "rules/data.smk"
include: "rules/backbone.smk"
include: "rules/finetune.smk"
include: "rules/sample.smk"
include: "rules/measure.smk"
include: "rules/tables.smk"
include: "rules/plane.smk"
include: "rules/ablations.smk"
include: "rules/report.smk"
include: "rules/export.smk"
