"""Measure one cell of the ablation grid: distances of its cached samples to uncached ones, σ²_Δ and norms of its features."""

import argparse
import json
import shutil
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from fcr_core.backbones.loading import encode_prompts, load_pipeline, load_reuse_decoder
from fcr_core.backbones.tasks import conditioning_of
from fcr_core.backbones.weights_hash import content_hash
from fcr_core.data.prepared import images_of
from fcr_core.finetuning.feature_variance import feature_variance
from fcr_core.jobs.files import replacing
from fcr_core.jobs.job import partial_work, sha256_of
from fcr_core.sampling.plane import distance, draw_to_file
from fcr_core.sampling.samples import Sampler
from workflow_scripts import cli

NOISE_SEED = 0


def work(args: argparse.Namespace) -> None:
    weights = [sha256_of(folder / "diffusion_pytorch_model.safetensors") for folder in (args.unet, args.decoder) if folder]
    settings = {key: getattr(args, key) for key in ("steps", "guidance", "count", "code")}
    settings["inputs"] = [content_hash(args.pipeline), sha256_of(args.prompts), *weights]
    state = partial_work(args.out, settings)
    prompts = pd.read_parquet(args.prompts).head(args.count)
    pipe = load_pipeline(args.pipeline, unet=args.unet).to(args.device)
    own = args.base
    if args.unet or own is None:
        own = state / "uncached.npz"
        if not own.exists():
            draw_to_file(pipe, prompts, Sampler("ddim", args.steps, 1, args.guidance), own, data=args.data)
    rows = []
    for name, plan in tqdm(args.plans.items(), desc="samplers", unit="sampler"):
        file = state / f"{name}.npz"
        if not file.exists():
            decoder = load_reuse_decoder(pipe, plan["cut"], args.decoder) if args.decoder else None
            draw_to_file(pipe, prompts, Sampler("ddim", args.steps, guidance=args.guidance, **plan), file, decoder, args.data)
        for kind, twin in (("own", own), ("base", args.base or own)):
            table = distance(file, twin, args.device).add_suffix(f"_{kind}").assign(prompt_id=prompts["prompt_id"].tolist())
            rows.append(table.melt("prompt_id", var_name="metric").assign(plan=name))
    measured = pd.concat([*rows, variance_rows(pipe, prompts, args)], ignore_index=True)
    with replacing(args.out) as draft:
        measured.to_parquet(draft, index=False)
    if args.keep_uncached:
        with replacing(args.keep_uncached) as draft:
            shutil.copy(own, draft)
    shutil.rmtree(state)


def variance_rows(pipe, prompts: pd.DataFrame, args: argparse.Namespace) -> pd.DataFrame:
    """σ²_Δ on the real images of the prompts: `metric` is variance, relative or norm, `plan` is `{block} {delta}`."""
    ids = prompts["prompt_id"].tolist()
    latents = conditioning_of(pipe.unet).encode(pipe, images_of(args.data, ids), ids)
    texts = encode_prompts(pipe, prompts["prompt"].tolist())
    table = feature_variance(pipe.unet, pipe.scheduler, latents, texts, args.deltas, NOISE_SEED)
    table = table.assign(
        prompt_id=[ids[image] for image in table["image"]], plan=table["block"] + " " + table["delta"].astype(str)
    )
    return table.rename(columns={"mse": "variance"}).melt(
        ["prompt_id", "plan"], ["variance", "relative", "norm"], var_name="metric"
    )


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--pipeline", required=True, help="pipeline folder or hub id")
    parser.add_argument("--unet", type=Path, help="folder of a fine-tuned UNet that replaces the pipeline's own")
    parser.add_argument("--decoder", type=Path, help="folder of a UNet whose decoder was trained to read reused features")
    parser.add_argument("--base", type=Path, help="uncached samples of the base model, written by its own cell")
    parser.add_argument("--keep-uncached", type=Path, help="also write the uncached samples here")
    parser.add_argument("--data", type=Path, required=True, help="prepared data set")
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--count", type=int, required=True, help="use the first so many prompts and their real images")
    parser.add_argument("--plans", type=json.loads, required=True, help="{name: {stride, cut, reuse, nodes}} as JSON")
    parser.add_argument("--deltas", type=int, nargs="+", required=True, help="of σ²_Δ, in training timesteps")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--guidance", type=float, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--code", default="", help="hash of the code: partial work of other code is not resumed")
    cli.run(parser, work)
