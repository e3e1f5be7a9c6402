"""Fine-tune a backbone's UNet with the FCR loss; killed, it goes on from its last checkpoint."""

import argparse
import shutil
import time
from pathlib import Path

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel

from fcr_core.codehash import content_hash
from fcr_core.denoising import TrainingSet
from fcr_core.files import replacing, write_json
from fcr_core.finetune import Recipe, fcr_loss
from fcr_core.jobs import finished_by_another, partial_work, run_record, sha256_of
from fcr_core.training import TrainingRun
from workflow_scripts import cli

RESULT_SETTINGS = ("pipeline", "lam", "max_delta", "distance", "steps", "batch", "lr", "seed", "code")


def work(args: argparse.Namespace) -> None:
    started = time.time()
    settings = {key: getattr(args, key) for key in RESULT_SETTINGS}
    settings["inputs"] = [content_hash(args.pipeline), sha256_of(args.train_set)]
    if finished_by_another(args.out, "unet/diffusion_pytorch_model.safetensors", settings):
        return
    state = partial_work(args.out, settings)
    unet = UNet2DConditionModel.from_pretrained(args.pipeline, subfolder="unet", dtype=torch.float32).to(args.device)
    scheduler = DDIMScheduler.from_pretrained(args.pipeline, subfolder="scheduler")
    recipe = Recipe(lam=args.lam, max_delta=args.max_delta, distance=args.distance)
    loss = fcr_loss(unet, scheduler, TrainingSet.load(args.train_set), recipe, args.batch)
    # Without EMA: its average over a few dozen steps would mostly be the base model.
    run = TrainingRun(unet, state, lr=args.lr, seed=args.seed, ema_decay=0.0)
    run.run(args.steps, loss, args.checkpoint_every, name=f"fine-tune λ={args.lam:g} seed {args.seed}")
    with replacing(args.out) as draft:
        unet.save_pretrained(draft / "unet")
        run.write_log(draft / "log.csv")
        write_json(draft / "run.json", run_record(settings, started))
    shutil.rmtree(state)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--pipeline", required=True, help="pipeline folder or hub id")
    parser.add_argument("--train-set", type=Path, required=True, help="written by encode_data")
    parser.add_argument("--lam", type=float, required=True, help="weight λ of the consistency term; 0 = control")
    parser.add_argument("--max-delta", type=int, required=True, help="Δ_max in training timesteps")
    parser.add_argument("--distance", default="mse")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--lr", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--checkpoint-every", type=int, default=500)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--code", default="", help="hash of the code: partial work of other code is not resumed")
    cli.run(parser, work)
