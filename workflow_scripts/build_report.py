"""One HTML page of a table's results: verdicts, figures, images, tables, and where every number comes from."""

import argparse
import json
from pathlib import Path

import pandas as pd

from fcr_core.jobs.files import replacing
from fcr_core.report.page import render
from fcr_core.report.results import Ablations, Results
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    files = {name: str(getattr(args, name)) for name in ("table", "efficiency", "real")}
    results = Results(
        title=args.title,
        goal=args.goal,
        uncached=args.uncached,
        rows=args.rows,
        models=args.models,
        table=pd.read_csv(args.table),
        criteria={title: pd.read_csv(file).fillna({"metric": ""}) for title, file in args.criteria.items()},
        efficiency=pd.read_parquet(args.efficiency),
        real=pd.read_parquet(args.real),
        data=args.data,
        files=files | args.criteria,
        more=args.more,
        ablations=ablations_of(args),
    )
    with replacing(args.out) as draft:
        draft.write_text(render(results), encoding="utf-8")


def ablations_of(args: argparse.Namespace) -> Ablations | None:
    if not args.cells:
        return None
    files = {"table": str(args.ablations), "mechanism": str(args.mechanism), "fits": str(args.fits)}
    return Ablations(**{name: pd.read_csv(file) for name, file in files.items()}, cells=args.cells, files=files)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    help_of_rows = "JSON list of {variation, files, samples, twins, weights}"
    parser.add_argument("--rows", type=json.loads, required=True, help=help_of_rows)
    parser.add_argument("--models", type=json.loads, required=True, help="{row: its weights' name} as JSON")
    parser.add_argument("--title", required=True, help="of the page")
    parser.add_argument("--goal", required=True, help="the row that differences are against")
    parser.add_argument("--uncached", required=True, help="the row that the feature variance is against")
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--criteria", type=json.loads, required=True, help="{heading: CSV of verdicts} as JSON")
    parser.add_argument("--efficiency", type=Path, required=True)
    parser.add_argument("--real", type=Path, required=True, help="written by measure_real")
    parser.add_argument("--data", type=Path, required=True, help="prepared data set")
    parser.add_argument("--more", required=True, help="the command that makes what this page leaves out")
    parser.add_argument(
        "--cells", type=json.loads, default={}, help="of the ablation grid, {recipe: files} as JSON; without, no grid"
    )
    for name in ("ablations", "mechanism", "fits"):
        parser.add_argument(f"--{name}", type=Path, help="CSV written by ablation_tables")
    cli.run(parser, work)
