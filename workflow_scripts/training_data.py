"""The arguments of scripts that learn from images and captions: an encoded training set, or a prepared data set itself."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fcr_core.jobs.job import sha256_of
from fcr_core.training.training_set import EncodedSet, StreamedSet, TrainingSet


def add_images(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that choose images of a prepared data set."""
    parser.add_argument("--images", type=int, help="with --data: number of images, spread over the concepts; default: all")
    parser.add_argument("--mirror", action="store_true", help="with --data: also use each image flipped left to right")


def add_source(source: Any) -> None:
    """Add the arguments that name the source of the data. `source` is a group of arguments that exclude each other."""
    source.add_argument("--train-set", type=Path, help="file written by encode_data")
    source.add_argument("--data", type=Path, help="prepared data set; its images are encoded each time they are drawn")


def settings_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that identify the data. A script's result depends on them."""
    if args.train_set:
        return {"train_set": sha256_of(args.train_set)}
    return {"data": sha256_of(args.data / "prompts.parquet"), "images": args.images, "mirror": args.mirror}


def training_set(args: argparse.Namespace, load: Callable[[], Any]) -> TrainingSet:
    """Return the training set that the arguments name. `load` returns the pipeline for images that are not encoded yet."""
    if args.train_set:
        return EncodedSet.load(args.train_set)
    return StreamedSet.of(load(), args.data, args.images, args.mirror)
