# Every experiment of the configuration, as one DAG. The structure is drawn in docs/architecture.md.
#
#   snakemake --cores 1 --resources gpu=1 results/exp1_table.csv

import gc
import json
import re
import sys
from functools import cache
from pathlib import Path

from fcr_core.backbones.weights_hash import content_hash, remembered_hash
from fcr_core.data import DATASETS
from fcr_core.data.icons.styles import STYLES
from fcr_core.data.source_files import token_of
from fcr_core.experiment.backbone_settings import BackboneSettings
from fcr_core.experiment.config_error import ConfigError
from fcr_core.experiment.config_files import of_command_line, read_config_file
from fcr_core.experiment.drawings import drawings_of
from fcr_core.experiment.experiment import experiments_of
from fcr_core.experiment.name_rules import check_targets
from fcr_core.experiment.paths import Paths
from fcr_core.experiment.row import fine_tune_of
from fcr_core.experiment.rules import check_criteria, check_names
from fcr_core.experiment.scenario import Scenario
from fcr_core.experiment.schema import check
from fcr_core.features.registry import IMAGE_TEXT_SPACES
from fcr_core.figures.registry import FIGURES, SAMPLES as SAMPLE_FIGURES
from fcr_core.jobs.code_hash import code_hash, package_versions
from fcr_core.jobs.files import written_once
from fcr_core.jobs.local_server import LocalServer, wanted
from fcr_core.jobs.place import check_place
from fcr_core.planning.job_resources import JobResources
from fcr_core.planning.network_costs import known_costs
from fcr_core.planning.partitions import partitions_of
from fcr_core.planning.planned_run import PlannedRun
from fcr_core.planning.rates import Rates
from fcr_core.tables.names import FIT, MECHANISM
from fcr_core.tables.verdicts import CRITERIA
from fcr_core.training.embedded import EMBEDDED

# The jobs of a DAG are made to stay: looking through them for garbage was a quarter of the time that 20,000 took.
gc.set_threshold(1_000_000)


try:
    check_place(Path(workflow.basedir))
    for file in ("config.yaml", *workflow.configfiles):
        read_config_file(Path(file))
    RATES = Rates.read(Path("config/rates.yaml"))
except ValueError as error:
    sys.exit(f"snakemake: {error}")


configfile: "config.yaml"


try:
    check(config)
    check_names(config, CRITERIA, FIGURES)
    check_criteria(config, CRITERIA)
except ConfigError as error:
    sys.exit(f"snakemake: {error}{of_command_line(str(error), workflow.config_settings.config)}")


# The values of fcr_core/experiment; everything below is a function of them.
EXPERIMENTS = experiments_of(config)
PATHS = Paths()
BACKBONES_USED = {
    name: BackboneSettings.from_config(config, name)
    for name in dict.fromkeys(name for experiment in EXPERIMENTS.values() for name in experiment.backbones)
}
# What is drawn, by the path of its cell; rows of tables are compared with a twin, so a cell has it too.
DRAWINGS = drawings_of(EXPERIMENTS.values(), {name: set_.get("prompts") for name, set_ in config["datasets"].items()})
ROWS = {row.cell.path: row for experiment in EXPERIMENTS.values() for row in experiment.rows}
MODELS = {drawing.cell.model.path: drawing.cell.model for drawing in DRAWINGS.values()}
FINE_TUNES = {(model.backbone, model.recipe): fine_tune_of(config, model) for model in MODELS.values() if model.recipe}
SCENARIOS = {name: Scenario.from_config(config, name) for name in config["scenarios"]}
# Samplers whose key steps are searched for, by backbone and name.
SEARCHED = {
    (drawing.cell.model.backbone, drawing.cell.sampler.name): drawing.cell.sampler
    for drawing in DRAWINGS.values()
    if drawing.cell.sampler.wants_keys
}
# By content, not by time: a checkout or a `touch` must not look like new weights.
WEIGHTS = {
    name: remembered_hash(backbone.location, Path(f".snakemake/fcr_weights/{name}.json"))
    for name, backbone in BACKBONES_USED.items()
}
# Memory and minutes that a job asks a cluster for, by its rule and its backbone.
RESOURCES = JobResources(
    PlannedRun(config, EXPERIMENTS, DRAWINGS, BACKBONES_USED, FINE_TUNES, known_costs),
    RATES,
    lambda: partitions_of(workflow),
)
SEEDS = config["seeds"]
# On a CPU jobs share the machine by cores; `gpu` only counts where there is one.
GPUS = int(config["device"] == "cuda")
VERSIONS = package_versions("torch", "diffusers", "transformers", "numpy")
ENV = "../envs/environment.yaml"


include: "rules/common.smk"


wildcard_constraints:
    backbone=one_of(BACKBONES_USED),
    cell=one_of(DRAWINGS),
    dataset=one_of(DATASETS),
    experiment=one_of(EXPERIMENTS),
    extractor=r"\w+",
    model=one_of(MODELS),
    recipe=one_of(recipe for _, recipe in FINE_TUNES),
    seed=r"\d+",
    size=r"\d+",
    split="train|test",
    start=r"\d+",
    train=one_of(DATASETS),


# glibc gives every large tensor back to the kernel and takes it again: 10 % of a UNet pass on a CPU. Harmless elsewhere.
# Progress bars write to logs, for which once a second is enough.
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


include: "rules/functions/data.smk"
include: "rules/data.smk"
include: "rules/functions/backbone.smk"
include: "rules/backbone.smk"
include: "rules/functions/finetune.smk"
include: "rules/finetune.smk"
include: "rules/functions/sample.smk"
include: "rules/sample.smk"
include: "rules/functions/measure.smk"
include: "rules/measure.smk"
include: "rules/functions/tables.smk"
include: "rules/tables.smk"
include: "rules/functions/report.smk"
include: "rules/report.smk"
include: "rules/functions/export.smk"
include: "rules/export.smk"


rule all:
    default_target: True
    input:
        [files_of(EXPERIMENTS[name]) for name in config["run"]],
        PATHS.readme,


try:
    check_targets(EXPERIMENTS, [rule.name for rule in workflow.rules])
except ConfigError as error:
    sys.exit(f"snakemake: {error}")


# `snakemake exp1`: everything that an experiment makes.
for name in EXPERIMENTS:

    rule:
        name:
            name
        input:
            files_of(EXPERIMENTS[name]),
