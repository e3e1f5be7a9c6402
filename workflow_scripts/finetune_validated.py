"""Fine-tune as `finetune` does, but stop when a mini-validation no longer gets better, and keep the best weights.

This is a script of its own, so that only validated fine-tunes depend on the code of the cached sampler.
"""

import argparse
from functools import partial
from pathlib import Path

from fcr_core.experiment.recipe import Recipe
from fcr_core.finetuning.weighted_loss import TrainedParts
from fcr_core.jobs.job import sha256_of
from fcr_core.sampling.cached_distance import shared_distance
from fcr_core.sampling.trajectories import Trajectories
from fcr_core.training.early_stopping import EarlyStopping
from workflow_scripts import cli, finetune


def work(args: argparse.Namespace) -> None:
    settings = {"validate_every": args.validate_every, "patience": args.patience, "validation": sha256_of(args.validation)}
    finetune.work(args, early_stopping, settings)


def early_stopping(args: argparse.Namespace, recipe: Recipe, parts: TrainedParts) -> EarlyStopping:
    """Return the early stopping of a fine-tune.

    Its measure is how far the recipe's own cached sampler, with the weights as they are, is from the uncached base model.
    """
    pipe = finetune.pipeline_around(args, parts.unet)
    measure = partial(shared_distance, pipe, Trajectories.load(args.validation), recipe.plan, parts.decoder)
    return EarlyStopping(measure, args.validate_every, patience=args.patience)


if __name__ == "__main__":
    parser = finetune.make_parser(__doc__)
    parser.add_argument("--validation", type=Path, required=True, help="file written by sample_trajectories")
    parser.add_argument("--validate-every", type=int, required=True, help="steps between mini-validations")
    parser.add_argument("--patience", type=int, default=3, help="mini-validations without a better mean before it stops")
    cli.run(parser, work)
