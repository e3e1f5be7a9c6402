"""One figure of an experiment from its tables."""

import argparse
from importlib import import_module

from fcr_core.figures.registry import FIGURES, SAMPLES
from fcr_core.jobs.files import replacing
from fcr_core.tables.results import Results
from workflow_scripts import cli
from workflow_scripts.experiment_arguments import add_experiment


def work(args: argparse.Namespace) -> None:
    module = import_module(f"fcr_core.figures.{args.figure}")
    with replacing(args.out) as draft:
        module.figure(Results.read(args.experiment, args.results)).savefig(draft, dpi=150, format="png", bbox_inches="tight")


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    add_experiment(parser)
    parser.add_argument("--figure", choices=[name for name in FIGURES if name not in SAMPLES], required=True)
    cli.run(parser, work)
