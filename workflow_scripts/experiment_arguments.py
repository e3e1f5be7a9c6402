"""The arguments that all scripts of an experiment share: which it is, and where its files lie."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from fcr_core.experiment.experiment import Experiment
from fcr_core.experiment.paths import Paths


def add_experiment(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--experiment", type=experiment_of, required=True, help="JSON of fcr_core.experiment.experiment")
    parser.add_argument("--results", type=Paths, default=Paths(), help="folder of all results")


def add_measured(parser: argparse.ArgumentParser) -> None:
    """Add what says which measurements there are."""
    add_experiment(parser)
    parser.add_argument("--sets", nargs="*", default=[], help="metrics of sets of images that were measured")
    parser.add_argument("--sizes", type=json.loads, default={}, help="side of the images by backbone, as JSON")


def experiment_of(file: str) -> Experiment:
    return Experiment.read(Path(file))
