"""Train the UNet of an embedded backbone on an encoded training split, and write the pipeline folder with it."""

import argparse
import shutil
import time
from pathlib import Path

from diffusers import DDIMScheduler

from fcr_core.jobs.files import replacing
from fcr_core.jobs.job import partial_work, sha256_of
from fcr_core.training.denoising import denoising_loss
from fcr_core.training.embedded import EMBEDDED
from fcr_core.training.embedded_pipeline import build_unet, save_network
from fcr_core.training.loop import TrainingRun
from fcr_core.training.record import write_training_record
from fcr_core.training.training_set import EncodedSet
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    started = time.time()
    embedded = EMBEDDED[args.name]
    unet = build_unet(embedded, args.seed).to(args.device)
    # Do not encode here: every step of this process would be 18 % slower (0.86 s, not 0.72 s), as the heap stays fragmented.
    data = EncodedSet.load(args.train_set)
    # The number of steps and the code are no settings here, so that hours of training survive a change of either.
    settings = {"batch": args.batch, "lr": args.lr, "seed": args.seed, "train_set": sha256_of(args.train_set)}
    state = partial_work(args.out, settings | {"networks": embedded.unet_config})
    scheduler = DDIMScheduler.from_pretrained(args.pipeline, subfolder="scheduler")
    precision = "fp32" if args.device == "cpu" else "bf16"
    run = TrainingRun(unet, state, lr=args.lr, seed=args.seed, warmup=200, cooldown=0.2, ema_decay=0.9995, precision=precision)
    run.run(args.steps, denoising_loss(unet, scheduler, data, args.batch), checkpoint_every=100, name="UNet")
    with replacing(args.out) as draft:
        shutil.copytree(args.pipeline, draft)
        save_network(draft / "unet", unet.cpu())
        write_training_record(draft / "unet", run, vars(args) | {"images": len(data.latents)}, started)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--name", choices=EMBEDDED, required=True)
    parser.add_argument("--pipeline", type=Path, required=True, help="pipeline folder with the trained VAE")
    parser.add_argument("--train-set", type=Path, required=True, help="written by encode_data with that pipeline")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--lr", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    cli.run(parser, work)
