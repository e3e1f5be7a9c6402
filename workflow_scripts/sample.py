"""Sample images for a list of prompts, a folder a seed; killed, it goes on after the last finished batch."""

import argparse
import json
import shutil
import time
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from fcr_core.backbones.loading import load_pipeline, load_reuse_decoder, replace_unet
from fcr_core.backbones.weights_hash import content_hash
from fcr_core.caching.key_search import read_keys
from fcr_core.experiment.sampler import Sampler
from fcr_core.jobs.files import replacing, write_json
from fcr_core.jobs.job import finished_by_another, partial_work, run_record, sha256_of
from fcr_core.sampling.samples import LAUNCH, sample_to_folder
from fcr_core.sampling.scenarios import under
from workflow_scripts import cli

RESULT_SETTINGS = ("pipeline", "sampler", "scenario", "prefix", "noise", "start", "count", "batch", "code")
WEIGHTS = "diffusion_pytorch_model.safetensors"


def work(args: argparse.Namespace) -> None:
    prompts = pd.read_parquet(args.prompts).iloc[args.start : args.start + args.count]
    prompts = prompts.assign(text=args.prefix + prompts["prompt"], noise_id=args.noise + prompts["prompt_id"])
    sampler = Sampler.from_json(args.sampler)
    sampler = sampler.with_keys(read_keys(args.keys)) if args.keys else sampler

    @cache  # the networks of all seeds; a fine-tuned UNet takes the place of the one before
    def pipeline() -> Any:
        return under(load_pipeline(args.pipeline, unet=next(iter(args.unets), None)).to(args.device), args.scenario)

    for place, seed in enumerate(args.seeds):
        unet, decoder = (folders[place] if folders else None for folders in (args.unets, args.decoders))
        draw_seed(args, prompts, sampler, seed, unet, decoder, pipeline)


def draw_seed(
    args, prompts: pd.DataFrame, sampler: Sampler, seed: int, unet: Path | None, decoder: Path | None, pipeline
) -> None:
    """The folder of one seed, unless an earlier run has finished it."""
    started, out = time.time(), args.out / f"seed{seed}"
    settings = {key: getattr(args, key) for key in RESULT_SETTINGS} | {"seed": seed, "inputs": inputs_of(args, unet, decoder)}
    if finished_by_another(out, "manifest.parquet", settings):
        return
    pipe = pipeline()
    if unet and len(args.unets) > 1:
        replace_unet(pipe, unet)
    own_decoder = load_reuse_decoder(pipe, sampler.plan.cut, decoder) if decoder and sampler.plan else None
    partial = partial_work(out, settings)
    with replacing(out) as draft:
        sample_to_folder(pipe, prompts, sampler, seed, args.batch, partial, draft, own_decoder, args.data)
        write_json(draft / "run.json", run_record(settings, started))
    shutil.rmtree(partial)


def inputs_of(args: argparse.Namespace, unet: Path | None, decoder: Path | None) -> list[str]:
    """Checksums of everything that a seed's images are made from."""
    inputs = [content_hash(args.pipeline), sha256_of(args.prompts)]
    files = {"keys": args.keys, "data": args.data and args.data / "prompts.parquet"}
    files |= {"unet": unet and unet / WEIGHTS, "decoder": decoder and decoder / WEIGHTS}
    return inputs + [name + sha256_of(file) for name, file in files.items() if file]


def make_parser() -> argparse.ArgumentParser:
    parser = cli.parser(__doc__)
    parser.add_argument("--pipeline", required=True, help="pipeline folder or hub id")
    parser.add_argument("--unets", type=Path, nargs="*", default=[], help="fine-tuned UNets in place of its own, one a seed")
    parser.add_argument(
        "--decoders", type=Path, nargs="*", default=[], help="UNets whose decoder was trained to read reused features, one a seed"
    )
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="prepared data set with the prompts' pictures, for tasks that draw from them")
    parser.add_argument("--start", type=int, default=0, help="the first prompt to use: a shard begins there")
    parser.add_argument("--count", type=int, required=True, help="how many prompts to use")
    parser.add_argument("--sampler", type=json.loads, required=True, help="fcr_core.experiment.sampler.Sampler as JSON")
    parser.add_argument("--keys", type=Path, help="written by search_key_steps")
    parser.add_argument("--scenario", type=json.loads, default={}, help="options of fcr_core.sampling.scenarios as JSON")
    parser.add_argument("--prefix", default="", help="text that begins every prompt")
    parser.add_argument("--noise", default="", help="what begins the ids that noise depends on")
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--batch", type=int, default=LAUNCH, help="images a batch, each kept once it is drawn")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--code", default="", help="hash of the code: partial work of other code is not resumed")
    return parser


if __name__ == "__main__":
    cli.run(make_parser(), work)
