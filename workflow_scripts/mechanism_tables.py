"""σ²_Δ of an experiment's models by block, against the control's, and how well it predicts the quality lost."""

import argparse
from pathlib import Path

from fcr_core.jobs.files import replacing
from fcr_core.tables.measurement_table import read_measurement_table, wide
from fcr_core.tables.mechanism import fit_table, mechanism_table
from workflow_scripts import cli
from workflow_scripts.experiment_arguments import add_experiment


def work(args: argparse.Namespace) -> None:
    mechanism = mechanism_table(args.experiment, args.results)
    fits = fit_table(args.experiment, mechanism, wide(read_measurement_table(args.measurements), args.experiment))
    for table, path in ((fits, args.fit), (mechanism, args.out)):
        with replacing(path) as draft:
            table.to_csv(draft, index=False)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    add_experiment(parser)
    parser.add_argument("--measurements", type=Path, required=True, help="CSV written by table")
    parser.add_argument("--fit", type=Path, required=True, help="CSV to write: how well the features predict distances")
    cli.run(parser, work)
