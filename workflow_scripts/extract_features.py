"""Features of sampled images: a file of arrays (seeds, prompts, d) in the order of the first folder's manifest."""

import argparse
from pathlib import Path

import pandas as pd

from fcr_core.data.pictures import Pictures
from fcr_core.features import feature_files
from fcr_core.features.extractor import Extractor, extract, load, record_of
from workflow_scripts import cli, extraction


def work(args: argparse.Namespace) -> None:
    extractor = load(args.extractor, args.weights, args.device)
    shards = [shard_of(folder, seed, extractor, args.precision) for folder, seed in zip(args.samples, args.seeds, strict=True)]
    feature_files.write(args.out, feature_files.merge(shards, shards[0].prompt_ids, list(dict.fromkeys(args.seeds))))


def shard_of(folder: Path, seed: int, extractor: Extractor, precision: str) -> feature_files.FeatureTable:
    """Features of one folder of samples."""
    ids = pd.read_parquet(folder / "manifest.parquet")["prompt_id"].tolist()
    rows = extract(extractor, Pictures.of(folder, ids), precision)
    arrays = {kind: array[None] for kind, array in rows.items()}
    return feature_files.FeatureTable(ids, arrays, record_of(extractor, precision), [seed])


if __name__ == "__main__":
    parser = extraction.parser(__doc__)
    parser.add_argument("--samples", type=Path, nargs="+", required=True, help="one folder a seed")
    parser.add_argument("--seeds", type=int, nargs="+", required=True, help="those of the folders")
    cli.run(parser, work)
