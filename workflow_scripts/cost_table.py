"""What each way of sampling costs at one size of images: passes, FLOPs, latency, speed-up and memory, a row a sampler."""

import argparse
from pathlib import Path

import pandas as pd

from fcr_core.jobs.files import replacing
from fcr_core.tables.exp1 import efficiency_columns
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    efficiency = pd.read_parquet(args.efficiency)
    rounds = efficiency.groupby("sampler", sort=False)["repeat"].nunique()
    costs = [efficiency_columns(efficiency, sampler, args.goal, args.uncached) for sampler in rounds.index]
    with replacing(args.out) as draft:
        pd.DataFrame(costs, index=rounds.index).assign(rounds=rounds).to_csv(draft)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--efficiency", type=Path, required=True, help="written by measure_efficiency")
    parser.add_argument("--goal", required=True, help="the sampler that speed-ups are against")
    parser.add_argument("--uncached", required=True, help="the sampler that every FLOP limit is against")
    cli.run(parser, work)
