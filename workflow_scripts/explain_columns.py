"""results/README.md: a line on each column of the tables."""

import argparse
from pathlib import Path

import pandas as pd

from fcr_core.columns import page
from fcr_core.files import replacing
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    with replacing(args.out) as draft:
        draft.write_text(page(pd.read_csv(args.table, nrows=0).columns))


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--table", type=Path, required=True)
    cli.run(parser, work)
