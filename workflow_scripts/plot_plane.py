"""Distance to the uncached output against latency for every point of the sampler plane, and who is on the front."""

import argparse
from pathlib import Path

import pandas as pd

from fcr_core.figures.plane import plane_figure
from fcr_core.jobs.files import replacing
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    with replacing(args.out) as draft:
        plane_figure(pd.read_csv(args.table), args.goal).savefig(draft, dpi=150)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--goal", required=True)
    cli.run(parser, work)
