"""What the scripts that learn take their images and captions from: a set that is encoded, or the prepared data themselves."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fcr_core.jobs.job import sha256_of
from fcr_core.training.training_set import EncodedSet, StreamedSet, TrainingSet


def add_images(parser: argparse.ArgumentParser) -> None:
    """Which of a prepared data set."""
    parser.add_argument("--images", type=int, help="with --data: so many, equally many of each concept; default: all")
    parser.add_argument("--mirror", action="store_true", help="with --data: each image also flipped left to right")


def add_source(source: Any) -> None:
    """Where from; `source` is a group of arguments that exclude each other."""
    source.add_argument("--train-set", type=Path, help="written by encode_data")
    source.add_argument("--data", type=Path, help="prepared data set: its images are encoded whenever they are drawn")


def settings_of(args: argparse.Namespace) -> dict[str, Any]:
    """What a result depends on."""
    if args.train_set:
        return {"train_set": sha256_of(args.train_set)}
    return {"data": sha256_of(args.data / "prompts.parquet"), "images": args.images, "mirror": args.mirror}


def training_set(args: argparse.Namespace, load: Callable[[], Any]) -> TrainingSet:
    """`load` gives the pipeline that encodes what is not encoded yet."""
    if args.train_set:
        return EncodedSet.load(args.train_set)
    return StreamedSet.of(load(), args.data, args.images, args.mirror)
