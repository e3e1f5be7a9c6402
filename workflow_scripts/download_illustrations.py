"""Download the six packages of icons, and write packages.json: where each comes from, who made it, and its licence."""

import argparse
from dataclasses import asdict

from huggingface_hub import is_offline_mode

from fcr_core.data.icons.download import fetch
from fcr_core.data.icons.styles import STYLES
from fcr_core.jobs.files import write_json
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    fetch(args.out, is_offline_mode())
    write_json(args.out / "packages.json", [asdict(style) | {"url": style.url} for style in STYLES])


if __name__ == "__main__":
    cli.run(cli.parser(__doc__), work)
