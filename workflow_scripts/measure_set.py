"""One metric that judges a set of images as a whole, and with each twentieth of the prompts left out; also seed by seed."""

import argparse
from importlib import import_module
from pathlib import Path

from fcr_core.features import feature_files
from fcr_core.measurements import write_rows
from fcr_core.metrics.left_out import over_seeds
from fcr_core.metrics.metric import metrics_of, named
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    metric = import_module(f"fcr_core.metrics.{args.metric}")
    array = metrics_of(metric)[0].needs
    sampled = feature_files.read(args.features, seeds=args.seeds)
    real = feature_files.read(args.reference, record=sampled.record)
    rows = [
        {"metric": name, "seed": seed, "group": group, "value": value}
        for seed, group, values in over_seeds(metric, sampled[array], real[array], args.seeds)
        for name, value in named(metric, values, sampled.record["extractor"]).items()
    ]
    write_rows(args.out, rows)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--metric", required=True, help="a module of fcr_core/metrics that judges sets")
    parser.add_argument("--features", type=Path, required=True, help="written by extract_features")
    parser.add_argument("--reference", type=Path, required=True, help="written by extract_real_features")
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    cli.run(parser, work)
