"""Text embeddings of the prompts by an extractor that has a text tower."""

import argparse
from pathlib import Path

import pandas as pd

from fcr_core.features import feature_files
from fcr_core.features.extractor import extract_texts, load, record_of
from workflow_scripts import cli, extraction


def work(args: argparse.Namespace) -> None:
    tower = load(args.extractor, args.weights, args.device)
    if not hasattr(tower, "texts"):
        raise ValueError(f"--extractor {args.extractor} embeds no texts: choose clip")
    prompts = pd.read_parquet(args.prompts)
    texts = extract_texts(tower, prompts["prompt"].tolist(), args.precision)
    record = record_of(tower, args.precision)
    feature_files.write(args.out, feature_files.FeatureTable(prompts["prompt_id"].tolist(), {"text": texts}, record))


if __name__ == "__main__":
    parser = extraction.parser(__doc__)
    parser.add_argument("--prompts", type=Path, required=True)
    cli.run(parser, work)
