"""Write one data set as prompts.parquet, and as images/ if it draws its own pictures."""

import argparse
from pathlib import Path

from fcr_core import data
from fcr_core.data.prepared import prepare
from fcr_core.data.source_files import listed
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    # The files are listed before they are read: a change in between is then seen as one that came later.
    files = None
    if args.token:
        files = listed(args.source, data.DATASETS[args.dataset].beside(args.source), args.out, args.token)
    prepare(data.load(args.dataset, source=args.source), args.out, args.dataset, args.size, files)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--dataset", required=True, help=f"one of {sorted(data.DATASETS)}")
    parser.add_argument("--source", type=Path, help="your file or folder of a data set that is in no package: docs/data.md")
    parser.add_argument("--token", help="stands for what these files hold; with it their list is kept (source_files.json)")
    parser.add_argument("--size", type=int, help="side in pixels that your images are cropped to when they are read")
    cli.run(parser, work)
