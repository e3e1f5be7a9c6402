"""Shared by the scripts that score images against captions: the argument that chooses the space, and the space."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from fcr_core.features import feature_files
from fcr_core.features.embeddings import Embeddings, of_clip, of_lit


def add_space(parser: argparse.ArgumentParser, required: bool = True) -> None:
    space = parser.add_mutually_exclusive_group(required=required)
    space.add_argument("--lit", type=Path, help="written by train_lit: the LiT score")
    space.add_argument("--texts", type=Path, help="written by extract_text_features: CLIPScore")


def space_of(args: argparse.Namespace) -> Embeddings:
    return of_lit(np.load(args.lit)) if args.lit else of_clip(feature_files.read(args.texts))
