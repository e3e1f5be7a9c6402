"""The same prompts and noise in the rows of an experiment, beside the real images; several data sets one below the other."""

import argparse
from pathlib import Path

import pandas as pd
from PIL import Image

from fcr_core.data.pictures import Pictures
from fcr_core.data.prepared import images_of
from fcr_core.experiment.cell import Setting
from fcr_core.experiment.paths import Paths
from fcr_core.experiment.row import Row
from fcr_core.figures.sample_grid import Block, sample_grid
from fcr_core.jobs.files import replacing
from fcr_core.tables.results import read_criteria
from fcr_core.tables.verdicts import preserving_rows
from workflow_scripts import cli
from workflow_scripts.experiment_arguments import add_measured


def work(args: argparse.Namespace) -> None:
    experiment, paths = args.experiment, args.results
    rows = list(experiment.rows)
    if args.preserving:
        rows = preserving_rows(experiment, read_criteria(Path(paths.table(experiment, "criteria.csv"))))
    seed = experiment.seeds[0]
    blocks = [
        block_of([row for row in rows if row.cell.setting == setting], paths, seed, args.sizes, args.count)
        for setting in experiment.settings
        if any(row.cell.setting == setting for row in rows)
    ]
    with replacing(args.out) as draft:
        sample_grid(blocks).savefig(draft, dpi=150, format="png")


def block_of(rows: list[Row], paths: Paths, seed: int, sizes: dict[str, int], count: int) -> Block:
    """The first prompts of a setting in each of its rows."""
    first = rows[0].cell
    shown = pd.read_parquet(Path(paths.samples(first, seed)) / "manifest.parquet").head(count)
    ids = shown["prompt_id"].tolist()
    lines: dict[str, list[Image.Image]] = real_line(paths, first.setting, sizes[first.model.backbone], ids)
    for row in rows:
        lines[row.name] = Pictures.of(Path(paths.samples(row.cell, seed)), ids)
    return Block(shown["prompt"].tolist(), lines)


def real_line(paths: Paths, setting: Setting, size: int, ids: list[str]) -> dict[str, list[Image.Image]]:
    """Real images of the prompts, for a data set that has them."""
    try:
        return {"real": images_of(Path(paths.data(setting.dataset, size)).parent, ids)}
    except ValueError:
        return {}


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    add_measured(parser)
    parser.add_argument("--preserving", action="store_true", help="only the rows that the stopping rule keeps, and their goal")
    parser.add_argument("--count", type=int, default=10, help="number of prompts")
    cli.run(parser, work)
