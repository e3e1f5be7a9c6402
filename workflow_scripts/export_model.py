"""Export a fine-tune as a folder to push to the hub, with its weights for plain diffusers and a model card."""

import argparse
import json
import shutil
from pathlib import Path

import pandas as pd

from fcr_core.cards.fine_tune import FineTuned, model_card, numbers_of
from fcr_core.experiment.recipe import Recipe
from fcr_core.jobs.files import replacing
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    tuned = FineTuned(args.fine_tune, Recipe.from_config(args.recipe), args.pipeline, args.licence, args.task, args.data)
    if not tuned.weights.exists():
        raise ValueError(f"{tuned.weights} is missing: run the fine-tune again, which writes it")
    numbers = numbers_of(pd.read_csv(args.table), pd.read_parquet(args.real), args.rows) if args.table else ""
    with replacing(args.out) as draft:
        # Put adapters at the top of the folder, because diffusers looks for them there.
        shutil.copytree(tuned.weights, draft if tuned.recipe.trains == "lora" else draft / "unet")
        shutil.copy(args.fine_tune / "log.csv", draft)
        model_card(tuned, args.name, numbers).save(draft / "README.md")


def make_parser() -> argparse.ArgumentParser:
    parser = cli.parser(__doc__)
    parser.add_argument("--fine-tune", type=Path, required=True, help="folder written by finetune")
    parser.add_argument("--recipe", type=json.loads, required=True, help="fields of fcr_core.experiment.recipe.Recipe as JSON")
    parser.add_argument("--pipeline", required=True, help="folder or hub id of the pipeline that was fine-tuned")
    parser.add_argument("--licence", required=True, help="licence of the pipeline, as fcr_core.backbones.registry names it")
    parser.add_argument("--task", default="text2image", help="task of the pipeline, as fcr_core.backbones.registry names it")
    parser.add_argument("--data", required=True, help="name of the training set")
    parser.add_argument("--name", required=True, help="name of the model on its card")
    parser.add_argument("--table", type=Path, help="results table with the numbers for the card")
    parser.add_argument("--real", type=Path, help="file written by measure_real; needed with --table")
    parser.add_argument("--rows", nargs="*", default=[], help="rows of the table to show")
    return parser


if __name__ == "__main__":
    cli.run(make_parser(), work)
