"""An experiment's table, all its measurements in long form, its verdicts, and a page with what a person wants to read of them."""

import argparse
from pathlib import Path

import pandas as pd

from fcr_core.jobs.files import replacing
from fcr_core.tables.markdown import page
from fcr_core.tables.measured import Measured
from fcr_core.tables.measurement_table import measurement_table, wide
from fcr_core.tables.results_table import results_table
from fcr_core.tables.verdicts import criteria_table
from workflow_scripts import cli
from workflow_scripts.experiment_arguments import add_measured


def work(args: argparse.Namespace) -> None:
    measured = Measured.read(args.experiment, args.results, args.sets, args.sizes)
    measurements, criteria = measurement_table(measured), criteria_table(measured)
    rows = wide(measurements, args.experiment)
    with replacing(args.readable) as draft:
        draft.write_text(page(measured, rows, criteria))
    tables = {args.measurements: measurements, args.criteria: criteria, args.out: results_table(measured, rows)}
    for file, table in tables.items():
        write(table, file)


def write(table: pd.DataFrame, file: Path) -> None:
    with replacing(file) as draft:
        table.to_csv(draft, index=False)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    add_measured(parser)
    parser.add_argument("--measurements", type=Path, required=True, help="CSV to write: everything, in long form")
    parser.add_argument("--criteria", type=Path, required=True, help="CSV to write: verdicts")
    parser.add_argument("--readable", type=Path, required=True, help="Markdown to write")
    cli.run(parser, work)
