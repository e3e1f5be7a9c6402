"""Train the pocket VAE on the training splits of data sets, and write a pipeline folder whose UNet is still untrained."""

import argparse
import hashlib
import time
from pathlib import Path

from fcr_core.data.pixels import to_pixels
from fcr_core.data.prepared import images_of, prompts_of
from fcr_core.jobs.files import replacing
from fcr_core.jobs.job import partial_work
from fcr_core.training import pocket
from fcr_core.training.loop import TrainingRun
from fcr_core.training.record import write_training_record
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    started = time.time()
    pixels = to_pixels([image for folder in args.data for image in images_of(folder, train_ids(folder))])
    vae = pocket.build_vae(args.seed)
    # The number of steps and the code are no settings here, so that hours of training survive a change of either.
    data = hashlib.sha256(pixels.numpy()).hexdigest()
    state = partial_work(args.out, {"batch": args.batch, "lr": args.lr, "seed": args.seed, "data": data})
    run = TrainingRun(vae, state, lr=args.lr, seed=args.seed, warmup=50, ema_decay=0.998)
    run.run(args.steps, pocket.vae_loss(vae, pixels, args.batch), checkpoint_every=100, name="VAE")
    pocket.set_scaling_factor(vae, pixels[:1024])
    settings = vars(args) | {"images": len(pixels)}
    with replacing(args.out) as draft:
        pocket.save_pipeline(draft, vae, pocket.build_unet(args.seed))
        write_training_record(draft / "vae", run, settings, started)


def train_ids(folder: Path) -> list[str]:
    return prompts_of(folder, "train")["prompt_id"].tolist()


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="prepared data sets")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--lr", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    cli.run(parser, work)
