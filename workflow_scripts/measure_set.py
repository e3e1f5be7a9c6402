"""One metric that judges a set of images as a whole, and with each twentieth of the prompts left out; also seed by seed.

Of a metric that judges the images of each prompt: one value a prompt, of all seeds.
"""

import argparse
from importlib import import_module
from pathlib import Path
from types import ModuleType

from fcr_core.features import feature_files
from fcr_core.features.judged import Judged, judged
from fcr_core.metrics.left_out import ALL, over_seeds
from fcr_core.metrics.metric import named
from fcr_core.tables.long_table import write_rows
from workflow_scripts import cli
from workflow_scripts.image_text import add_space, space_of


def work(args: argparse.Namespace) -> None:
    metric = import_module(f"fcr_core.metrics.{args.metric}")
    sampled = feature_files.read(args.features, seeds=args.seeds)
    real = feature_files.read(args.reference, record=sampled.record)
    arrays = judged(metric, sampled, real, space_of(args) if args.lit or args.texts else None)
    write_rows(args.out, of_prompts(metric, arrays, sampled) if hasattr(metric, "per_prompt") else of_sets(metric, arrays, args))


def of_sets(metric: ModuleType, arrays: Judged, args: argparse.Namespace) -> list[dict]:
    return [
        {"metric": name, "seed": seed, "group": group, "value": value}
        for seed, group, values in over_seeds(metric, arrays.sampled, arrays.real, args.seeds)
        for name, value in named(metric, values, arrays.network).items()
    ]


def of_prompts(metric: ModuleType, arrays: Judged, sampled: feature_files.FeatureTable) -> list[dict]:
    values = named(metric, metric.per_prompt(arrays.sampled, arrays.real), arrays.network)
    return [
        {"metric": name, "seed": ALL, "prompt_id": prompt_id, "value": value}
        for name, of_prompt in values.items()
        for prompt_id, value in zip(sampled.prompt_ids, of_prompt, strict=True)
    ]


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--metric", required=True, help="a module of fcr_core/metrics that judges sets")
    parser.add_argument("--features", type=Path, required=True, help="written by extract_features")
    parser.add_argument("--reference", type=Path, required=True, help="written by extract_real_features")
    add_space(parser, required=False)
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    cli.run(parser, work)
