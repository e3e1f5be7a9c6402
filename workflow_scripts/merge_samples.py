"""One folder of samples from its shards, in their order: the bytes that a single job would have written."""

import argparse
import json
from pathlib import Path

from fcr_core.jobs.files import replacing, write_json
from fcr_core.sampling.samples import merge_folders
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    with replacing(args.out) as draft:
        merge_folders(args.shards, draft)
        write_json(draft / "run.json", merged_record([json.loads((shard / "run.json").read_text()) for shard in args.shards]))


def merged_record(shards: list[dict]) -> dict:
    """The record of the first shard with the prompts and the seconds of all."""
    count = sum(int(shard["settings"]["count"]) for shard in shards)
    seconds = sum(shard["wall_seconds"] for shard in shards)
    settings = shards[0]["settings"] | {"count": str(count)}
    return shards[0] | {"settings": settings, "shards": len(shards), "wall_seconds": round(seconds, 2)}


def make_parser() -> argparse.ArgumentParser:
    parser = cli.parser(__doc__)
    parser.add_argument("--shards", type=Path, nargs="+", required=True, help="folders written by sample, in order")
    return parser


if __name__ == "__main__":
    cli.run(make_parser(), work)
