"""Sample uncached guided trajectories of the base model for training prompts, once for all recipes; killed, it goes on."""

import argparse
import shutil
from pathlib import Path

import torch
from tqdm import tqdm

from fcr_core.codehash import content_hash
from fcr_core.denoising import TrainingSet
from fcr_core.files import replacing
from fcr_core.images import slices
from fcr_core.jobs import partial_work, sha256_of
from fcr_core.pipelines import load_pipeline
from fcr_core.sampling import LAUNCH, latent_shape
from fcr_core.trajectories import Trajectories, sample_trajectory
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    settings = {key: getattr(args, key) for key in ("count", "steps", "guidance", "seed", "code")}
    settings["inputs"] = [content_hash(args.pipeline), sha256_of(args.train_set)]
    state = partial_work(args.out, settings)
    pipe, data = load_pipeline(args.pipeline).to(args.device), TrainingSet.load(args.train_set)
    generator = torch.Generator().manual_seed(args.seed)
    rows = data.draw_rows(args.count, generator)
    noise = torch.randn(args.count, *latent_shape(pipe), generator=generator)
    parts = []
    for part in tqdm(slices(args.count, LAUNCH), desc="trajectories", unit="batch"):
        file = state / f"{part.start:06d}.pt"
        if not file.exists():
            made = sample_trajectory(pipe, data.texts[rows[part]], data.null_text, noise[part], args.steps, args.guidance)
            with replacing(file) as draft:
                torch.save(made, draft)
        parts.append(torch.load(file, weights_only=True))
    Trajectories(torch.cat(parts), data.texts[rows], data.null_text, args.guidance).save(args.out)
    shutil.rmtree(state)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--pipeline", required=True, help="pipeline folder or hub id")
    parser.add_argument("--train-set", type=Path, required=True, help="written by encode_data")
    parser.add_argument("--count", type=int, required=True, help="number of trajectories")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--guidance", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--code", default="", help="hash of the code: partial work of other code is not resumed")
    cli.run(parser, work)
