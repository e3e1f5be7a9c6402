"""What real images score: the floor of each distance (two halves of the reference set) and the real value of each score."""

import argparse
from pathlib import Path

import numpy as np

from fcr_core.features import feature_files
from fcr_core.measurements import write_rows
from fcr_core.metrics import class_score, frechet_pca, kid, lit_score
from workflow_scripts import cli

SPLITS = 20


def work(args: argparse.Namespace) -> None:
    real, lit = feature_files.read(args.reference), np.load(args.lit)
    seen_by_lit = feature_files.read(args.lit_reference, prompt_ids=real.prompt_ids)
    network = real.record["extractor"]
    rng = np.random.default_rng(0)
    rows = []
    for split in range(SPLITS):
        order = rng.permutation(len(real["pool"]))
        half, other = np.array_split(order, 2)
        for metric in (kid, frechet_pca):
            value = metric.of_set(real["pool"][half], real["pool"][other])
            rows.append({"metric": metric.METRIC.name(network), "seed": split, "value": value})
    rows.append({"metric": class_score.METRIC.name(network), "seed": 0, "value": class_score.of_set(real["logits"])})
    row_of = {prompt_id: row for row, prompt_id in enumerate(lit["prompt_id"])}
    texts = lit["text_features"][[row_of[prompt_id] for prompt_id in real.prompt_ids]]
    rows.append({"metric": lit_score.METRIC.name(), "seed": 0, "value": lit_score.per_image(seen_by_lit["pool"], texts, lit).mean()})
    write_rows(args.out, None, rows)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--reference", type=Path, required=True, help="written by extract_real_features")
    parser.add_argument("--lit-reference", type=Path, required=True, help="the same images, by the network that LiT reads")
    parser.add_argument("--lit", type=Path, required=True, help="written by train_lit")
    cli.run(parser, work)
