"""Everything that is computed from a cell's features: metrics of sets of images, how well each suits its caption, and its drift.

A metric of sets judges all images as a whole, also with each twentieth of the prompts left out and seed by seed; one of single
prompts gives one value a prompt, of all seeds.
"""

import argparse
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np

from fcr_core.features import feature_files
from fcr_core.features.embeddings import Embeddings
from fcr_core.features.feature_files import FeatureTable
from fcr_core.features.judged import Judged, judged
from fcr_core.metrics import embedding_drift
from fcr_core.metrics.left_out import ALL, over_seeds
from fcr_core.metrics.metric import errors_named, named
from fcr_core.tables.long_table import write_rows
from workflow_scripts import cli
from workflow_scripts.image_text import add_space, space_of


def work(args: argparse.Namespace) -> None:
    space, tables = space_of(args), tables_of(args)
    for name, out in zip(args.metrics, args.sets, strict=True):
        metric = import_module(f"fcr_core.metrics.{name}")
        write_rows(out, of_metric(metric, *tables["sets"], space, args.seeds))
    sampled = tables["image_text"][0]
    write_rows(args.out, [*scores(space, sampled), *drifts(space, sampled, twins_of(args.twins, sampled))])


def tables_of(args: argparse.Namespace) -> dict[str, tuple[FeatureTable, FeatureTable]]:
    """Sampled and real features: those that sets are judged by, and those in the space of images and captions."""
    pairs = {"sets": (args.features, args.reference), "image_text": (args.image_text, args.image_text_reference)}
    read = {}
    for kind, (features, reference) in pairs.items():
        sampled = feature_files.read(features, seeds=args.seeds)
        read[kind] = (sampled, feature_files.read(reference, record=sampled.record))
    return read


def of_metric(
    metric: ModuleType, sampled: FeatureTable, real: FeatureTable, space: Embeddings | None, seeds: list[int]
) -> list[dict]:
    """The rows of one metric of sets."""
    arrays = judged(metric, sampled, real, space)
    with errors_named(metric, arrays.network):
        return of_prompts(metric, arrays, sampled) if hasattr(metric, "per_prompt") else of_sets(metric, arrays, seeds)


def of_sets(metric: ModuleType, arrays: Judged, seeds: list[int]) -> list[dict]:
    return [
        {"metric": name, "seed": seed, "group": group, "value": value}
        for seed, group, values in over_seeds(metric, arrays.sampled, arrays.real, seeds)
        for name, value in named(metric, values, arrays.network).items()
    ]


def of_prompts(metric: ModuleType, arrays: Judged, sampled: FeatureTable) -> list[dict]:
    values = named(metric, metric.per_prompt(arrays.sampled, arrays.real), arrays.network)
    return [
        {"metric": name, "seed": ALL, "prompt_id": prompt_id, "value": value}
        for name, of_prompt in values.items()
        for prompt_id, value in zip(sampled.prompt_ids, of_prompt, strict=True)
    ]


def twins_of(file: Path, sampled: FeatureTable) -> FeatureTable:
    """The uncached twins with the seeds of the samples; they may hold only the first prompts, and more seeds."""
    twins = feature_files.read(file, record=sampled.record)
    if twins.prompt_ids[: len(sampled.prompt_ids)] != sampled.prompt_ids[: len(twins.prompt_ids)]:
        raise ValueError(f"{file}: holds other prompts than the samples")
    if missing := [seed for seed in sampled.seeds if seed not in twins.seeds]:
        raise ValueError(f"{file}: holds no seeds {missing}, which the samples have")
    places, count = [list(twins.seeds).index(seed) for seed in sampled.seeds], len(sampled.prompt_ids)
    arrays = {kind: array[places, :count] for kind, array in twins.arrays.items()}
    return FeatureTable(twins.prompt_ids[:count], arrays, twins.record, list(sampled.seeds))


def scores(space: Embeddings, sampled: FeatureTable) -> list[dict]:
    values = [space.scores(images, sampled.prompt_ids) for images in space.images(sampled)]
    return of_images(space.score.METRIC.name(), sampled, values)


def drifts(space: Embeddings, sampled: FeatureTable, twins: FeatureTable) -> list[dict]:
    """How far caching moves each image that has a twin."""
    count = len(twins.prompt_ids)
    pairs = zip(space.images(sampled)[:, :count], space.images(twins), strict=True)
    values = [embedding_drift.per_image(images, others) for images, others in pairs]
    return of_images(f"{embedding_drift.METRIC.name(space.network)}_own", sampled, values)


def of_images(metric: str, table: FeatureTable, values: list[np.ndarray]) -> list[dict]:
    return [
        {"metric": metric, "seed": seed, "prompt_id": prompt_id, "value": value}
        for seed, of_seed in zip(table.seeds, values, strict=True)
        for prompt_id, value in zip(table.prompt_ids, of_seed, strict=False)
    ]


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--metrics", nargs="+", required=True, help="modules of fcr_core/metrics that judge sets")
    parser.add_argument("--sets", type=Path, nargs="+", required=True, help="a file to write for each of them")
    parser.add_argument("--features", type=Path, required=True, help="features that judge sets, written by extract_features")
    parser.add_argument("--reference", type=Path, required=True, help="those of real images, written by extract_real_features")
    parser.add_argument("--image-text", type=Path, required=True, help="features in the space of images and captions")
    parser.add_argument("--image-text-reference", type=Path, required=True, help="those of real images")
    parser.add_argument("--twins", type=Path, required=True, help="those of the uncached samples of the same weights")
    add_space(parser)
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    cli.run(parser, work)
