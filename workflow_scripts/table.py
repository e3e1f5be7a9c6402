"""A table of variations: one CSV for machines, one page for reading, one CSV with the verdicts on the plan's criteria."""

import argparse
import json
from pathlib import Path

import pandas as pd

from fcr_core.jobs.files import replacing
from fcr_core.tables.exp1 import criteria_table, exp1_table, read_rows
from fcr_core.tables.markdown import page
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    variations, measured = read_rows(args.rows)
    efficiency, real = pd.read_parquet(args.efficiency), pd.read_parquet(args.real)
    table = exp1_table(variations.values(), measured, efficiency, real, variations[args.goal], args.uncached)
    criteria = criteria_table(variations.values(), measured, efficiency, variations[args.goal], args.uncached)
    with replacing(args.readable) as draft:
        draft.write_text(page(args.title, table, criteria, real, args.goal))
    with replacing(args.criteria) as draft:
        criteria.to_csv(draft, index=False)
    with replacing(args.out) as draft:
        table.to_csv(draft, index=False)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--rows", type=json.loads, required=True, help="JSON list of {variation, files}")
    parser.add_argument("--efficiency", type=Path, required=True)
    parser.add_argument("--real", type=Path, required=True, help="written by measure_real")
    parser.add_argument("--title", required=True, help="of the page")
    parser.add_argument("--goal", required=True, help="the row that differences are against")
    parser.add_argument("--uncached", required=True, help="the row that every FLOP limit is against")
    parser.add_argument("--readable", type=Path, required=True)
    parser.add_argument("--criteria", type=Path, required=True)
    cli.run(parser, work)
