"""Sample images for a list of prompts; killed, it goes on after the last finished batch."""

import argparse
import json
import shutil
import time
from pathlib import Path

import pandas as pd

from fcr_core.backbones.loading import load_pipeline, load_reuse_decoder
from fcr_core.backbones.weights_hash import content_hash
from fcr_core.caching.key_search import read_keys
from fcr_core.jobs.files import replacing, write_json
from fcr_core.jobs.job import finished_by_another, partial_work, run_record, sha256_of
from fcr_core.sampling.samples import LAUNCH, Sampler, sample_to_folder
from workflow_scripts import cli

RESULT_SETTINGS = ("pipeline", "sampler", "guidance", "seed", "start", "count", "batch", "code")


def work(args: argparse.Namespace) -> None:
    started = time.time()
    settings = {key: getattr(args, key) for key in RESULT_SETTINGS}
    settings["inputs"] = [content_hash(args.pipeline), sha256_of(args.prompts)]
    if args.keys:
        settings["inputs"].append("keys" + sha256_of(args.keys))
    if args.data:
        settings["inputs"].append("data" + sha256_of(args.data / "prompts.parquet"))
    for kind in ("unet", "decoder"):
        if folder := getattr(args, kind):
            settings["inputs"].append(kind + sha256_of(folder / "diffusion_pytorch_model.safetensors"))
    if finished_by_another(args.out, "manifest.parquet", settings):
        return
    prompts = pd.read_parquet(args.prompts).iloc[args.start : args.start + args.count]
    pipe = load_pipeline(args.pipeline, unet=args.unet).to(args.device)
    sampler = Sampler(**args.sampler, guidance=args.guidance, keys=read_keys(args.keys) if args.keys else ())
    decoder = load_reuse_decoder(pipe, sampler.cut, args.decoder) if args.decoder else None
    partial = partial_work(args.out, settings)
    with replacing(args.out) as draft:
        sample_to_folder(pipe, prompts, sampler, args.seed, args.batch, partial, draft, decoder, args.data)
        write_json(draft / "run.json", run_record(settings, started))
    shutil.rmtree(partial)


def make_parser() -> argparse.ArgumentParser:
    parser = cli.parser(__doc__)
    parser.add_argument("--pipeline", required=True, help="pipeline folder or hub id")
    parser.add_argument("--unet", type=Path, help="folder of a fine-tuned UNet that replaces the pipeline's own")
    parser.add_argument("--decoder", type=Path, help="folder of a UNet whose decoder was trained to read reused features")
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="prepared data set with the prompts' pictures, for tasks that draw from them")
    parser.add_argument("--start", type=int, default=0, help="of the prompts the first to use: that of a shard")
    parser.add_argument("--count", type=int, required=True, help="how many prompts to use")
    parser.add_argument("--sampler", type=json.loads, required=True, help="fields of fcr_core.sampling.samples.Sampler as JSON")
    parser.add_argument("--keys", type=Path, help="written by search_key_steps")
    parser.add_argument("--guidance", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--batch", type=int, default=LAUNCH, help="images a batch, each kept once it is drawn")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--code", default="", help="hash of the code: partial work of other code is not resumed")
    return parser


if __name__ == "__main__":
    cli.run(make_parser(), work)
