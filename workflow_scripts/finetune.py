"""Fine-tune a backbone's UNet by a recipe. A killed run resumes from its last checkpoint. For several GPUs: torchrun -m ..."""

import argparse
import json
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from accelerate import PartialState

from fcr_core.backbones.loading import load_pipeline, load_scheduler, load_unet
from fcr_core.backbones.pretraining_cost import Pretraining
from fcr_core.backbones.weights_hash import content_hash
from fcr_core.experiment.recipe import Recipe
from fcr_core.finetuning.weighted_loss import FineTuneLoss, TrainedParts, trained_parts
from fcr_core.jobs.files import replacing, write_json
from fcr_core.jobs.job import finished_by_another, partial_work, run_record, sha256_of
from fcr_core.sampling.trajectories import Trajectories
from fcr_core.training.early_stopping import EarlyStopping
from fcr_core.training.loop import AUTOCAST, TrainingRun
from fcr_core.training.optimizers import OPTIMIZERS
from fcr_core.training.run_log import training_cost, write_log
from workflow_scripts import cli
from workflow_scripts.training_data import add_images, add_source, settings_of, training_set

RESULT_SETTINGS = (
    "pipeline", "recipe", "sampling_steps", "steps", "batch", "accumulate", "lr", "cooldown", "ema", "precision", "optimizer",
    "gradient_checkpointing", "lora_rank", "seed", "code",
)  # fmt: skip


# Makes what stops a fine-tune early. It is called once the networks are there.
MakeEarly = Callable[[argparse.Namespace, Recipe, TrainedParts], EarlyStopping]


def work(args: argparse.Namespace, make_early: MakeEarly | None = None, more_settings: dict[str, Any] | None = None) -> None:
    started = time.time()
    workers = PartialState(cpu=args.device == "cpu")
    settings = {key: getattr(args, key) for key in RESULT_SETTINGS} | {"processes": workers.num_processes} | (more_settings or {})
    settings["inputs"] = [content_hash(args.pipeline), *map(sha256_of, filter(None, [args.trajectories]))]
    settings |= settings_of(args)
    with workers.main_process_first():
        if finished_by_another(args.out, "unet/diffusion_pytorch_model.safetensors", settings):
            return
        state = partial_work(args.out, settings)
    recipe = Recipe.from_config(args.recipe)
    unet, scheduler = load_unet(args.pipeline).to(args.device), load_scheduler(args.pipeline)
    if args.gradient_checkpointing:
        unet.enable_gradient_checkpointing()
    trajectories = Trajectories.load(args.trajectories) if args.trajectories else None
    parts = trained_parts(unet, recipe, args.lora_rank)
    data = training_set(args, partial(pipeline_around, args, unet))
    loss = FineTuneLoss(unet, scheduler, data, recipe, args.batch, args.sampling_steps, trajectories, parts.decoder)
    run = TrainingRun(
        parts.learning, state, lr=args.lr, seed=args.seed, ema_decay=args.ema, cooldown=args.cooldown,
        accumulate=args.accumulate, precision=args.precision, algorithm=args.optimizer, events=args.tensorboard,
        early=make_early(args, recipe, parts) if make_early else None,
    )  # fmt: skip
    run.run(args.steps, loss, args.checkpoint_every, name=f"fine-tune {args.out.parent.name} seed {args.seed}")
    if workers.is_main_process:
        write_result(args, parts, run, run_record(settings, started) | cost_of(run, args.pretraining), state)
    workers.wait_for_everyone()


def pipeline_around(args: argparse.Namespace, unet: Any) -> Any:
    """Return the pipeline whose UNet is the one that learns."""
    pipe = load_pipeline(args.pipeline)
    pipe.unet = unet
    return pipe.to(args.device)


def cost_of(run: TrainingRun, pretraining: dict[str, Any] | None) -> dict[str, Any]:
    """Return the cost of the run, and its share of the pre-training if that is given."""
    cost = training_cost(run)
    return cost | (Pretraining(**pretraining).share(cost) if pretraining else {})


def write_result(args: argparse.Namespace, parts: TrainedParts, run: TrainingRun, record: dict, state: Path) -> None:
    """Write the weights, `log.csv` and `run.json` to the output folder, and remove the checkpoints."""
    with replacing(args.out) as draft:
        parts.save(draft)
        write_log(run, draft / "log.csv")
        write_json(draft / "run.json", record)
    shutil.rmtree(state)


def make_parser(description: str | None) -> argparse.ArgumentParser:
    parser = cli.parser(description)
    parser.add_argument("--pipeline", required=True, help="pipeline folder or hub id")
    add_source(parser.add_mutually_exclusive_group(required=True))
    add_images(parser)
    parser.add_argument("--trajectories", type=Path, help="file written by sample_trajectories, for recipes that need it")
    parser.add_argument("--recipe", type=json.loads, required=True, help="fields of fcr_core.experiment.recipe.Recipe as JSON")
    parser.add_argument("--sampling-steps", type=int, default=50, help="steps of the sampler that the recipe is for")
    parser.add_argument("--steps", type=int, required=True, help="optimizer steps")
    parser.add_argument("--batch", type=int, required=True, help="images in a batch")
    parser.add_argument("--accumulate", type=int, default=1, help="batches in a step, shared out among the processes")
    parser.add_argument("--lr", type=float, required=True, help="learning rate")
    parser.add_argument("--cooldown", type=float, default=0.0, help="last share of the steps; there the learning rate falls to 0")
    parser.add_argument(
        "--ema", type=float, default=0.0, help="decay of the averaged weights; 0 = none, for runs of a few dozen steps"
    )
    parser.add_argument("--precision", choices=sorted(AUTOCAST), default="fp32")
    parser.add_argument("--optimizer", choices=sorted(OPTIMIZERS), default="adamw")
    checkpointing = "compute activations inside blocks again in the backward pass: slower, but with less memory"
    parser.add_argument("--gradient-checkpointing", action=argparse.BooleanOptionalAction, default=False, help=checkpointing)
    parser.add_argument("--lora-rank", type=int, default=16, help="rank of the adapters, for recipes that train lora")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--checkpoint-every", type=int, default=500, help="steps between checkpoints")
    parser.add_argument("--pretraining", type=json.loads, help="for run.json: fields of Pretraining as JSON")
    parser.add_argument("--tensorboard", type=Path, help="folder for TensorBoard")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--code", default="", help="hash of the code: partial work of other code is not resumed")
    return parser


if __name__ == "__main__":
    cli.run(make_parser(__doc__), work)
