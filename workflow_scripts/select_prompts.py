"""Choose prompts, one of each held-out concept, in a fixed order: the first for evaluation, the last for choosing settings by."""

import argparse
from pathlib import Path

from fcr_core.data.prepared import one_a_concept, prompts_of
from fcr_core.jobs.files import replacing
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    ordered = one_a_concept(prompts_of(args.data, "test"))
    if len(ordered) < args.evaluated + args.count:
        asked = f"config key {args.key} = {args.count}" + f", beside {args.evaluated} evaluated ones" * (args.evaluated > 0)
        raise ValueError(f"{asked}: {args.data} has only {len(ordered)} held-out concepts")
    chosen = ordered.tail(args.count) if args.evaluated else ordered.head(args.count)
    with replacing(args.out) as draft:
        chosen.to_parquet(draft, index=False)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="prepared data set")
    parser.add_argument("--count", type=int, required=True, help="number of prompts to choose")
    parser.add_argument("--evaluated", type=int, default=0, help="if above 0: take the last prompts, and keep out the first N")
    parser.add_argument("--key", required=True, help="config key that sets the count, for error messages")
    cli.run(parser, work)
