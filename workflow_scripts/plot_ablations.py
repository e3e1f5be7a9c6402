"""Draw the ablation grid and its mechanism."""

import argparse
from pathlib import Path

import pandas as pd

from fcr_core.figures.ablation import grid_figure, mechanism_figure
from fcr_core.jobs.files import replacing
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    ablations, mechanism, fits = (pd.read_csv(path) for path in (args.ablations, args.mechanism, args.fit))
    figures = {
        args.out: grid_figure(ablations, mechanism, args.plan, args.delta),
        args.mechanism_figure: mechanism_figure(mechanism, ablations, fits, args.plan, args.delta),
    }
    for path, figure in figures.items():
        with replacing(path) as draft:
            figure.savefig(draft, dpi=130, format="png")


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    for table in ("ablations", "mechanism", "fit"):
        parser.add_argument(f"--{table}", type=Path, required=True, help="CSV written by ablation_tables")
    parser.add_argument("--mechanism-figure", type=Path, required=True)
    parser.add_argument("--plan", required=True, help="the sampler whose distances are drawn")
    parser.add_argument("--delta", type=int, required=True, help="the Δ of σ²_Δ, in training timesteps")
    cli.run(parser, work)
