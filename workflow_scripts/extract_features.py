"""EfficientNet-lite0 features of sampled images: arrays (seeds, prompts, ...) row-aligned with the manifests."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from fcr_core.features import effnet
from fcr_core.files import replacing
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    ids = [pd.read_parquet(folder / "manifest.parquet")["prompt_id"].tolist() for folder in args.samples]
    if any(other != ids[0] for other in ids):
        raise ValueError(f"the folders {[str(folder) for folder in args.samples]} hold different prompts")
    images = [Image.open(folder / f"{prompt_id}.png") for folder in args.samples for prompt_id in ids[0]]
    arrays = effnet.extract(images)
    stacked = {key: array.reshape(len(ids), len(ids[0]), -1) for key, array in arrays.items()}
    with replacing(args.out) as draft:
        np.savez(draft, prompt_id=ids[0], **stacked)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--samples", type=Path, nargs="+", required=True, help="one folder a seed")
    cli.run(parser, work)
