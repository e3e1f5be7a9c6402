"""Train the pocket UNet on cached latents and text embeddings; writes the whole pipeline folder."""

import argparse
import time
from pathlib import Path

from diffusers import AutoencoderKL

from fcr_core import pocket
from fcr_core.denoising import denoising_loss, encode_training_set
from fcr_core.files import replacing, write_json
from fcr_core.jobs import partial_work, run_record, sha256_of
from fcr_core.pipelines import load_pipeline
from fcr_core.training import TrainingRun
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    started = time.time()
    vae = AutoencoderKL.from_pretrained(args.vae)
    unet = pocket.build_unet(args.seed)
    weights = sha256_of(args.vae / "diffusion_pytorch_model.safetensors")
    # Neither the number of steps nor the code is a setting here: hours of training survive both.
    state = partial_work(args.out, {"batch": args.batch, "lr": args.lr, "seed": args.seed, "vae": weights})
    pocket.save_pipeline(state / "untrained", vae, unet)
    pipe = load_pipeline(state / "untrained")
    loss = denoising_loss(unet, pipe.scheduler, encode_training_set(pipe, args.data), args.batch)
    run = TrainingRun(unet, state, lr=args.lr, seed=args.seed, warmup=200, cooldown=0.2, ema_decay=0.9995)
    run.run(args.steps, loss, checkpoint_every=100, name="UNet")
    with replacing(args.out) as draft:
        pocket.save_pipeline(draft, vae, unet)
        run.write_log(draft / "log.csv")
        write_json(draft / "run.json", run_record(vars(args), started))


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--vae", type=Path, required=True, help="folder of the trained VAE")
    parser.add_argument("--data", type=Path, required=True, help="prepared data set")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--lr", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    cli.run(parser, work)
