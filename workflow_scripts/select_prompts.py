"""Choose the evaluation prompts: one of each held-out concept, in an order that a larger count only extends."""

import argparse
import hashlib
from pathlib import Path

from fcr_core.data.prepared import prompts_of
from fcr_core.files import replacing
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    table = prompts_of(args.data, "test")
    table["order"] = [hashlib.sha256(prompt_id.encode()).hexdigest() for prompt_id in table["prompt_id"]]
    chosen = table.sort_values("order").drop_duplicates("concept").head(args.count).drop(columns="order")
    if len(chosen) < args.count:
        raise ValueError(f"config key data.prompts = {args.count}: {args.data} has only {len(chosen)} held-out concepts")
    with replacing(args.out) as draft:
        chosen.to_parquet(draft, index=False)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="prepared data set")
    parser.add_argument("--count", type=int, required=True)
    cli.run(parser, work)
