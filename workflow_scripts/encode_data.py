"""Encode the training split with the backbone's VAE and text encoder, once for all fine-tunes; killed, it goes on."""

import argparse
import shutil
from pathlib import Path

from fcr_core.codehash import content_hash
from fcr_core.denoising import encode_training_set
from fcr_core.jobs import partial_work, sha256_of
from fcr_core.pipelines import load_pipeline
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    settings = {key: getattr(args, key) for key in ("images", "mirror", "code")}
    settings["inputs"] = [content_hash(args.pipeline), sha256_of(args.data / "prompts.parquet")]
    state = partial_work(args.out, settings)
    pipe = load_pipeline(args.pipeline).to(args.device)
    encode_training_set(pipe, args.data, state, args.images, args.mirror).save(args.out)
    shutil.rmtree(state)


def make_parser() -> argparse.ArgumentParser:
    parser = cli.parser(__doc__)
    parser.add_argument("--pipeline", required=True, help="pipeline folder or hub id")
    parser.add_argument("--data", type=Path, required=True, help="prepared data set")
    parser.add_argument("--images", type=int, help="encode so many, equally many of each concept; default: all")
    parser.add_argument("--mirror", action="store_true", help="also encode each image flipped left to right")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--code", default="", help="hash of the code: partial work of other code is not resumed")
    return parser


if __name__ == "__main__":
    cli.run(make_parser(), work)
