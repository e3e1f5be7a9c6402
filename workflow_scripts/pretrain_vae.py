"""Train the VAE of an embedded backbone, and write a pipeline folder whose UNet is still untrained."""

import argparse
import hashlib
import time
from pathlib import Path

from fcr_core.data.pixels import from_bytes, to_bytes
from fcr_core.data.prepared import images_of, prompts_of
from fcr_core.jobs.files import replacing
from fcr_core.jobs.job import partial_work
from fcr_core.training.autoencoder import set_scaling_factor, vae_loss
from fcr_core.training.embedded import EMBEDDED
from fcr_core.training.embedded_pipeline import build_unet, build_vae, save_pipeline
from fcr_core.training.loop import TrainingRun
from fcr_core.training.record import write_training_record
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    started = time.time()
    embedded = EMBEDDED[args.name]
    pictures = to_bytes([image for folder in args.data for image in images_of(folder, train_ids(folder))])
    vae = build_vae(embedded, args.seed).to(args.device)
    # The number of steps and the code are no settings here, so that hours of training survive a change of either.
    data = hashlib.sha256(pictures.numpy()).hexdigest()
    settings = {"networks": embedded.vae_config, "batch": args.batch, "lr": args.lr, "seed": args.seed, "data": data}
    state = partial_work(args.out, settings)
    run = TrainingRun(vae, state, lr=args.lr, seed=args.seed, warmup=50, ema_decay=0.998)
    run.run(args.steps, vae_loss(vae, pictures, args.batch), checkpoint_every=100, name="VAE")
    set_scaling_factor(vae.cpu(), from_bytes(pictures[:1024]))
    with replacing(args.out) as draft:
        save_pipeline(draft, embedded, vae, build_unet(embedded, args.seed))
        write_training_record(draft / "vae", run, vars(args) | {"images": len(pictures)}, started)


def train_ids(folder: Path) -> list[str]:
    return prompts_of(folder, "train")["prompt_id"].tolist()


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--name", choices=EMBEDDED, required=True)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="prepared data sets")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--lr", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    cli.run(parser, work)
