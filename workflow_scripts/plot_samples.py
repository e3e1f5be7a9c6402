"""The same prompts and noise across variations, beside the real images."""

import argparse
from pathlib import Path

import pandas as pd

from fcr_core.data.pictures import Pictures
from fcr_core.data.prepared import images_of
from fcr_core.figures.sample_grid import sample_grid
from fcr_core.jobs.files import replacing
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    shown = pd.read_parquet(args.samples[0] / "manifest.parquet").head(args.count)
    ids = shown["prompt_id"].tolist()
    rows = {"real": images_of(args.data, ids)}
    for name, folder in zip(args.names, args.samples, strict=True):
        rows[name] = Pictures.of(folder, ids)
    with replacing(args.out) as draft:
        sample_grid(rows, shown["prompt"].tolist()).savefig(draft, dpi=150)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--samples", type=Path, nargs="+", required=True, help="one folder a variation")
    parser.add_argument("--names", nargs="+", required=True)
    parser.add_argument("--data", type=Path, required=True, help="prepared data set")
    parser.add_argument("--count", type=int, default=10, help="number of prompts")
    cli.run(parser, work)
