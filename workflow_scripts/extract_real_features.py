"""Features of one split of a prepared data set: a file of arrays (prompts, d) in the data set's order."""

import argparse
from pathlib import Path

from fcr_core.data.prepared import images_of, prompts_of
from fcr_core.features import feature_files
from fcr_core.features.extractor import extract, load, record_of
from workflow_scripts import cli, extraction


def work(args: argparse.Namespace) -> None:
    extractor = load(args.extractor, args.weights, args.device)
    ids = prompts_of(args.data, args.split, args.images)["prompt_id"].tolist()
    rows = extract(extractor, images_of(args.data, ids), args.precision)
    feature_files.write(args.out, feature_files.FeatureTable(ids, rows, record_of(extractor, args.precision)))


if __name__ == "__main__":
    parser = extraction.parser(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="prepared data set")
    parser.add_argument("--split", choices=["train", "test"], required=True)
    parser.add_argument("--images", type=int, help="take so many, spread over the concepts; without it all of the split")
    cli.run(parser, work)
