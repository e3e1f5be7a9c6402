"""Write one data set as prompts.parquet and images/."""

import argparse

from fcr_core import data
from fcr_core.data.prepared import prepare
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    prepare(data.load(args.dataset), args.out, args.dataset)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--dataset", required=True, help=f"one of {sorted(data.DATASETS)}")
    cli.run(parser, work)
