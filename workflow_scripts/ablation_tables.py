"""The cells of the ablation grid as tables: distances of images, σ²_Δ by block, and how well the one predicts the other."""

import argparse
import json
from pathlib import Path

import pandas as pd

from fcr_core.jobs.files import replacing
from fcr_core.tables.ablation import ablation_table, fit_table, mechanism_table, read_cells
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    cells = read_cells({recipe: [pd.read_parquet(file) for file in files] for recipe, files in args.cells.items()})
    n_seeds = max(len(files) for files in args.cells.values())
    ablations, mechanism = ablation_table(cells, n_seeds), mechanism_table(cells)
    fits = fit_table(mechanism, ablations, args.plan)
    for table, path in ((mechanism, args.mechanism), (fits, args.fit), (ablations, args.out)):
        with replacing(path) as draft:
            table.to_csv(draft, index=False)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--cells", type=json.loads, required=True, help="{recipe: [one file a seed]} as JSON")
    parser.add_argument("--plan", required=True, help="the sampler at which σ²_Δ should predict the quality lost")
    parser.add_argument("--mechanism", type=Path, required=True)
    parser.add_argument("--fit", type=Path, required=True)
    cli.run(parser, work)
