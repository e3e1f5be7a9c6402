"""Quality against latency, with intervals, and the latency that FLOPs alone would allow."""

import argparse
from pathlib import Path

import pandas as pd

from fcr_core.figures.tradeoff import tradeoff
from fcr_core.jobs.files import replacing
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    figure = tradeoff(pd.read_csv(args.table), pd.read_parquet(args.real), args.goal, args.batch)
    with replacing(args.out) as draft:
        figure.savefig(draft, dpi=150)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--goal", required=True)
    parser.add_argument("--batch", type=int, required=True, help="images at which latency was measured")
    cli.run(parser, work)
