"""Encode the training split with the backbone's VAE and text encoder, once for all fine-tunes. A killed run resumes."""

import argparse
import shutil
from pathlib import Path

from fcr_core.backbones.loading import load_pipeline
from fcr_core.backbones.weights_hash import content_hash
from fcr_core.jobs.job import partial_work, sha256_of
from fcr_core.training.training_set import StreamedSet, encode_training_set
from workflow_scripts import cli
from workflow_scripts.training_data import add_images


def work(args: argparse.Namespace) -> None:
    settings = {key: getattr(args, key) for key in ("images", "mirror", "code")}
    settings["inputs"] = [content_hash(args.pipeline), sha256_of(args.data / "prompts.parquet")]
    state = partial_work(args.out, settings)
    pipe = load_pipeline(args.pipeline).to(args.device)
    encode_training_set(StreamedSet.of(pipe, args.data, args.images, args.mirror), state).save(args.out)
    shutil.rmtree(state)


def make_parser() -> argparse.ArgumentParser:
    parser = cli.parser(__doc__)
    parser.add_argument("--pipeline", required=True, help="pipeline folder or hub id")
    parser.add_argument("--data", type=Path, required=True, help="prepared data set")
    add_images(parser)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--code", default="", help="hash of the code: partial work of other code is not resumed")
    return parser


if __name__ == "__main__":
    cli.run(make_parser(), work)
