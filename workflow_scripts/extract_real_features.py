"""EfficientNet-lite0 features of one split of a prepared data set."""

import argparse
from pathlib import Path

import numpy as np

from fcr_core.data.prepared import images_of, prompts_of
from fcr_core.features import effnet
from fcr_core.files import replacing
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    ids = prompts_of(args.data, args.split)["prompt_id"].tolist()
    with replacing(args.out) as draft:
        np.savez(draft, prompt_id=ids, **effnet.extract(images_of(args.data, ids)))


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="prepared data set")
    parser.add_argument("--split", choices=["train", "test"], required=True)
    cli.run(parser, work)
