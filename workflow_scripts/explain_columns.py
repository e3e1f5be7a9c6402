"""results/README.md: a line on each column of the tables."""

import argparse
from pathlib import Path

import pandas as pd

from fcr_core.jobs.files import replacing
from fcr_core.tables.column_meanings import at_batches, page
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    columns = at_batches(pd.read_csv(args.table, nrows=0).columns, args.batches)
    with replacing(args.out) as draft:
        draft.write_text(page(columns))


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--table", type=Path, required=True, help="one of the tables")
    parser.add_argument("--batches", type=int, nargs="+", required=True, help="at which the cost of any table's rows is measured")
    cli.run(parser, work)
