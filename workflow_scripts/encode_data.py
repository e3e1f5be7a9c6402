"""Encode the training split with the backbone's VAE and text encoder, once for all fine-tunes."""

import argparse
from pathlib import Path

from fcr_core.denoising import encode_training_set
from fcr_core.pipelines import load_pipeline
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    encode_training_set(load_pipeline(args.pipeline).to(args.device), args.data, args.images, args.mirror).save(args.out)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--pipeline", required=True, help="pipeline folder or hub id")
    parser.add_argument("--data", type=Path, required=True, help="prepared data set")
    parser.add_argument("--images", type=int, help="encode so many, equally many of each concept; default: all")
    parser.add_argument("--mirror", action="store_true", help="also encode each image flipped left to right")
    parser.add_argument("--device", default="cpu")
    cli.run(parser, work)
