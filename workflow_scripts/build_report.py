"""One HTML page of an experiment: verdicts, figures, images, tables, and where every number comes from."""

import argparse

from fcr_core.jobs.files import replacing
from fcr_core.report.evidence import Evidence
from fcr_core.report.page import render
from workflow_scripts import cli
from workflow_scripts.experiment_arguments import add_measured


def work(args: argparse.Namespace) -> None:
    evidence = Evidence.read(args.experiment, args.results, args.sets, args.sizes)
    with replacing(args.out) as draft:
        draft.write_text(render(evidence), encoding="utf-8")


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    add_measured(parser)
    cli.run(parser, work)
