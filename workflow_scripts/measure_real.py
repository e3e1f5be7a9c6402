"""Measure the scores of real images: the floor of each distance (two halves of the reference set) and each score."""

import argparse
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from fcr_core.features import feature_files
from fcr_core.features.embeddings import Embeddings
from fcr_core.features.feature_files import FeatureTable
from fcr_core.features.judged import judged
from fcr_core.metrics.metric import errors_named, metrics_of, named
from fcr_core.tables.long_table import write_rows
from workflow_scripts import cli
from workflow_scripts.image_text import add_space, space_of

SPLITS = 20


def work(args: argparse.Namespace) -> None:
    real = feature_files.read(args.reference)
    seen, space = feature_files.read(args.image_text_reference, prompt_ids=real.prompt_ids), space_of(args)
    rows = [row for name in args.metrics for row in floors(import_module(f"fcr_core.metrics.{name}"), real, seen, space)]
    known = [row for row, prompt_id in enumerate(seen.prompt_ids) if prompt_id in space.texts]
    value = space.scores(space.images(seen)[known], [seen.prompt_ids[row] for row in known]).mean()
    rows.append({"metric": space.score.METRIC.name(), "seed": 0, "value": value})
    write_rows(args.out, rows)


def floors(metric: ModuleType, real: FeatureTable, seen: FeatureTable, space: Embeddings) -> list[dict]:
    """One half of the reference set against the other, 20 times; of a metric that has no reference, the value of all of it.

    None of a metric that judges the images of each prompt: real images have one.
    """
    if hasattr(metric, "per_prompt"):
        return []
    described = metrics_of(metric)[0]
    images = seen if described.in_image_text_space else real
    _, rows, network = judged(metric, as_sampled(images), images, space)
    with errors_named(metric, network):
        values = [metric.of_set(rows)] if not described.against_real else of_halves(metric, rows)
    return [
        {"metric": name, "seed": split, "value": value}
        for split, found in enumerate(values)
        for name, value in named(metric, found, network).items()
    ]


def of_halves(metric: ModuleType, rows: np.ndarray) -> list[Any]:
    """One half of the rows against the other, 20 times."""
    rng = np.random.default_rng(0)
    halves = [np.array_split(rng.permutation(len(rows)), 2) for _ in range(SPLITS)]
    return [metric.of_set(rows[half], rows[other]) for half, other in halves]


def as_sampled(real: FeatureTable) -> FeatureTable:
    """Real images in the place of the samples of one seed."""
    return FeatureTable(real.prompt_ids, {kind: rows[None] for kind, rows in real.arrays.items()}, real.record, [0])


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--metrics", nargs="+", required=True, help="modules of fcr_core/metrics that judge sets")
    parser.add_argument("--reference", type=Path, required=True, help="written by extract_real_features")
    parser.add_argument("--image-text-reference", type=Path, required=True, help="the same images in the image-text space")
    add_space(parser)
    cli.run(parser, work)
