"""LiT score of every sampled image with its caption."""

import argparse
from pathlib import Path

import numpy as np

from fcr_core.features import feature_files
from fcr_core.measurements import write_rows
from fcr_core.metrics import lit_score
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    sampled, lit = feature_files.read(args.features, seeds=args.seeds), np.load(args.lit)
    row_of = {prompt_id: row for row, prompt_id in enumerate(lit["prompt_id"])}
    texts = lit["text_features"][[row_of[prompt_id] for prompt_id in sampled.prompt_ids]]
    rows = [
        {"seed": seed, "prompt_id": prompt_id, "value": value}
        for seed, images in zip(args.seeds, sampled["pool"], strict=True)
        for prompt_id, value in zip(sampled.prompt_ids, lit_score.per_image(images, texts, lit), strict=True)
    ]
    write_rows(args.out, lit_score.METRIC.name(), rows)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--features", type=Path, required=True, help="written by extract_features")
    parser.add_argument("--lit", type=Path, required=True, help="written by train_lit")
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    cli.run(parser, work)
