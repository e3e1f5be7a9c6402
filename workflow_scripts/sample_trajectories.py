"""Sample uncached guided trajectories of the base model, to train on or to choose settings by. A killed run resumes."""

import argparse
import shutil
from pathlib import Path

import pandas as pd
import torch
from diffusers import StableDiffusionPipeline
from tqdm import tqdm

from fcr_core.backbones.loading import encode_null_prompt, encode_prompts, load_pipeline
from fcr_core.backbones.tasks import TextAlone, conditioning_of
from fcr_core.backbones.weights_hash import content_hash
from fcr_core.data.pixels import slices
from fcr_core.jobs.job import partial_work, sha256_of
from fcr_core.jobs.kept_tensors import kept
from fcr_core.sampling.samples import LAUNCH, latent_shape
from fcr_core.sampling.trajectories import Trajectories, sample_trajectory
from workflow_scripts import cli
from workflow_scripts.training_data import add_images, add_source, settings_of, training_set


def work(args: argparse.Namespace) -> None:
    settings = {key: getattr(args, key) for key in ("count", "steps", "guidance", "seed", "ends", "code")}
    settings["inputs"] = [content_hash(args.pipeline)]
    settings |= {"prompts": sha256_of(args.prompts)} if args.prompts else settings_of(args)
    state = partial_work(args.out, settings)
    pipe = load_pipeline(args.pipeline).to(args.device)
    if type(conditioning_of(pipe.unet)) is not TextAlone:
        raise ValueError(
            "trajectories need a text-to-image backbone: set finetune.validate_every to 0 and use recipes without trajectories"
        )
    generator = torch.Generator().manual_seed(args.seed)
    texts, null_text = embeddings(pipe, args, generator)
    noise = torch.randn(args.count, *latent_shape(pipe), generator=generator)
    parts = []
    for part in tqdm(slices(args.count, LAUNCH), desc="trajectories", unit="batch"):

        def made(part: slice = part) -> torch.Tensor:
            visited = sample_trajectory(pipe, texts[part], null_text, noise[part], args.steps, args.guidance)
            return visited[:, [0, -1]] if args.ends else visited

        parts.append(kept(state / f"{part.start:06d}.pt", made))
    Trajectories(torch.cat(parts), texts, null_text, args.guidance, args.steps).save(args.out)
    shutil.rmtree(state)


def embeddings(
    pipe: StableDiffusionPipeline, args: argparse.Namespace, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the embeddings of the prompts (N, L, D) and of the empty prompt (1, L, D).

    The prompts are the first of a list, or are drawn from the training set.
    """
    if args.prompts:
        prompts = pd.read_parquet(args.prompts)["prompt"].head(args.count)
        return encode_prompts(pipe, (args.prefix + prompts).tolist()), encode_null_prompt(pipe)
    data = training_set(args, lambda: pipe)
    return data.texts_of(data.draw_rows(args.count, generator)), data.null_text


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--pipeline", required=True, help="pipeline folder or hub id")
    source = parser.add_mutually_exclusive_group(required=True)
    add_source(source)
    source.add_argument("--prompts", type=Path, help="file written by select_prompts; its first prompts are used")
    add_images(parser)
    parser.add_argument("--prefix", default="", help="with --prompts: text that begins each")
    parser.add_argument("--count", type=int, required=True, help="number of trajectories")
    parser.add_argument("--steps", type=int, required=True, help="sampling steps of a trajectory")
    parser.add_argument("--ends", action="store_true", help="keep only initial noise and final latents, for comparisons")
    parser.add_argument("--guidance", type=float, required=True, help="guidance scale")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--code", default="", help="hash of the code: partial work of other code is not resumed")
    cli.run(parser, work)
