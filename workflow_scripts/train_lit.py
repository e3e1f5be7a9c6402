"""Train the LiT projections on the training split. Also write the text features of its prompts and of the held-out ones."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from fcr_core.data.prepared import prompts_of
from fcr_core.features import feature_files, lit, minilm
from fcr_core.jobs.files import replacing
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    train = prompts_of(args.data, "train", args.images)["prompt_id"].tolist()
    table = pd.read_parquet(args.data / "prompts.parquet")
    table = table[(table["split"] != "train") | table["prompt_id"].isin(train)]
    learned = table["prompt_id"].isin(train).to_numpy()
    texts = minilm.extract(table["prompt"].tolist())
    images = feature_files.read(args.features, prompt_ids=train)["pool"]
    projections = lit.train(images, texts[learned], table["concept"][learned].tolist(), args.steps, args.seed)
    with replacing(args.out) as draft:
        np.savez(draft, prompt_id=table["prompt_id"].to_numpy(str), text_features=texts, **projections)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="prepared data set")
    parser.add_argument("--features", type=Path, required=True, help="features of the real images of its training split")
    parser.add_argument("--images", type=int, help="learn from so many of the split; without it from all")
    parser.add_argument("--steps", type=int, required=True, help="training steps")
    parser.add_argument("--seed", type=int, default=0)
    cli.run(parser, work)
