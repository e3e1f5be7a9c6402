"""results/README.md: a line on each column of all experiments' tables."""

import argparse
from pathlib import Path

import pandas as pd

from fcr_core.jobs.files import replacing
from fcr_core.tables.column_meanings import columns_of, page
from fcr_core.tables.measurement_table import read_measurement_table
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    columns: list[str] = []
    for table, measurements in zip(args.tables, args.measurements, strict=True):
        columns += columns_of(pd.read_csv(table, nrows=0).columns, read_measurement_table(measurements))
    with replacing(args.out) as draft:
        draft.write_text(page(dict.fromkeys(columns)))


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--tables", type=Path, nargs="+", required=True, help="the table of each experiment")
    parser.add_argument("--measurements", type=Path, nargs="+", required=True, help="its measurements")
    cli.run(parser, work)
