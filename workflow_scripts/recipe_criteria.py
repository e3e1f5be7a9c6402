"""The verdicts on every cached row of the recipe table: criteria.csv for machines, criteria.md for reading."""

import argparse
import json
from pathlib import Path

import pandas as pd
from safetensors import safe_open

from fcr_core.jobs.files import replacing
from fcr_core.tables.exp1 import read_rows
from fcr_core.tables.recipe_verdicts import criteria_page, recipe_criteria
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    variations, measured = read_rows(args.rows)
    sizes = {name: decoder_bytes(Path(file), variations[name].cut) for name, file in args.decoders.items()}
    efficiency = pd.read_parquet(args.efficiency)
    criteria = recipe_criteria(variations.values(), measured, efficiency, variations[args.goal], sizes)
    with replacing(args.readable) as draft:
        draft.write_text(criteria_page(criteria, args.goal))
    with replacing(args.out) as draft:
        criteria.to_csv(draft, index=False)


def decoder_bytes(file: Path, cut: int) -> int:
    """Bytes of a reuse decoder's own weights in the UNet that holds them."""
    with safe_open(file, "np") as weights:
        names = [name for name in weights.keys() if name.startswith(("up_blocks.", "conv_norm_out.", "conv_out."))]  # noqa: SIM118
        own = [name for name in names if not name.startswith("up_blocks.") or int(name.split(".")[1]) >= cut]
        return sum(weights.get_tensor(name).nbytes for name in own)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--rows", type=json.loads, required=True, help="JSON list of {variation, files}")
    parser.add_argument("--decoders", type=json.loads, required=True, help="{row: weights of its reuse decoder} as JSON")
    parser.add_argument("--efficiency", type=Path, required=True)
    parser.add_argument("--goal", required=True, help="the row that differences are against")
    parser.add_argument("--readable", type=Path, required=True)
    cli.run(parser, work)
