"""Shared by the scripts that extract features: the arguments that choose the network and how it runs."""

from __future__ import annotations

import argparse

from fcr_core.features.extractor import PRECISIONS
from workflow_scripts import cli


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with the arguments of an extractor."""
    made = cli.parser(description)
    made.add_argument("--extractor", default="effnet", help="a module of fcr_core/features with `load`")
    made.add_argument("--weights", help="file or folder; without it those of the extractor's package or of the hub")
    made.add_argument("--precision", choices=PRECISIONS, default="fp32")
    made.add_argument("--device", default="cpu")
    return made
