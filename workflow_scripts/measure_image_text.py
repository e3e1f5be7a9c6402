"""How well every sampled image suits its caption, and how far caching moves it, in one space of images and texts."""

import argparse
from pathlib import Path

import numpy as np

from fcr_core.features import feature_files
from fcr_core.features.embeddings import Embeddings
from fcr_core.metrics import embedding_drift
from fcr_core.tables.long_table import write_rows
from workflow_scripts import cli
from workflow_scripts.image_text import add_space, space_of


def work(args: argparse.Namespace) -> None:
    space = space_of(args)
    sampled = feature_files.read(args.features, seeds=args.seeds)
    twins = feature_files.read(args.twins, record=sampled.record)
    if twins.prompt_ids != sampled.prompt_ids[: len(twins.prompt_ids)]:
        raise ValueError(f"{args.twins} and {args.features} hold different prompts")
    write_rows(args.out, [*scores(space, sampled), *drifts(space, sampled, twins)])


def scores(space: Embeddings, sampled: feature_files.FeatureTable) -> list[dict]:
    values = [space.scores(images, sampled.prompt_ids) for images in space.images(sampled)]
    return rows_of(space.score.METRIC.name(), sampled, values)


def drifts(space: Embeddings, sampled: feature_files.FeatureTable, twins: feature_files.FeatureTable) -> list[dict]:
    """Of the prompts that the twin holds: the first ones."""
    count = len(twins.prompt_ids)
    pairs = zip(space.images(sampled)[:, :count], space.images(twins), strict=True)
    values = [embedding_drift.per_image(images, others) for images, others in pairs]
    return rows_of(f"{embedding_drift.METRIC.name(space.network)}_own", sampled, values)


def rows_of(metric: str, table: feature_files.FeatureTable, values: list[np.ndarray]) -> list[dict]:
    return [
        {"metric": metric, "seed": seed, "prompt_id": prompt_id, "value": value}
        for seed, of_seed in zip(table.seeds, values, strict=True)
        for prompt_id, value in zip(table.prompt_ids, of_seed, strict=False)
    ]


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--features", type=Path, required=True, help="of the samples, written by extract_features")
    parser.add_argument("--twins", type=Path, required=True, help="of the uncached samples of the same weights")
    add_space(parser)
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    cli.run(parser, work)
