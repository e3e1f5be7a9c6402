"""Every way of caching beside plain solvers with fewer steps: distance to the uncached output against measured cost."""

import argparse
import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from fcr_core.codehash import content_hash
from fcr_core.efficiency import count_unet_flops, flop_limit, passes
from fcr_core.features import stlpips_alex
from fcr_core.files import replacing
from fcr_core.images import slices
from fcr_core.jobs import partial_work, sha256_of
from fcr_core.latency import measure_latency
from fcr_core.metrics import latent_mse
from fcr_core.pipelines import load_pipeline
from fcr_core.plane import Point, plane_table, points_of
from fcr_core.sampling import LAUNCH, Sampler, initial_noise, latent_shape, launch, sample_latents
from workflow_scripts import cli

SEED = 0


def work(args: argparse.Namespace) -> None:
    pipe = load_pipeline(args.pipeline).to(args.device)
    prompts = pd.read_parquet(args.prompts).head(args.plane["prompts"])
    points = points_of(args.plane, args.steps)
    settings = {"inputs": [content_hash(args.pipeline), sha256_of(args.prompts)], "guidance": args.guidance, "code": args.code}
    state = partial_work(args.out, settings | {"count": len(prompts)})
    for point in tqdm(points, desc="sampling", unit="sampler"):
        if not drawn(state, point).exists():
            draw(pipe, prompts, sampler_of(point, args.guidance), drawn(state, point))
    latency = measure(pipe, prompts.head(args.plane["batch"]), points, args)
    flops = count_unet_flops(pipe.unet, pipe.tokenizer.model_max_length)
    counted = {}
    for point in points:
        plan = sampler_of(point, args.guidance).plan
        encoder_passes, decoder_passes = passes(point.steps, plan)
        limit = flop_limit(flops, point.steps, plan) * args.steps / point.steps
        counted[point.name] = {"encoder_passes": encoder_passes, "decoder_passes": decoder_passes, "flop_limit": limit}
    distances = {point.name: distance(drawn(state, point), drawn(state, points[0])) for point in tqdm(points, desc="distances")}
    with replacing(args.out) as draft:
        plane_table(points, distances, latency, counted, args.goal).to_csv(draft, index=False)
    shutil.rmtree(state)


def sampler_of(point: Point, guidance: float) -> Sampler:
    return Sampler(point.scheduler, point.steps, point.stride, guidance, point.cut, point.reuse, point.nodes, point.live)


def drawn(state: Path, point: Point) -> Path:
    return state / f"{point.name.replace(' ', '_')}.npz"


def draw(pipe, prompts: pd.DataFrame, sampler: Sampler, file: Path) -> None:
    """Latents (N, C, h, w) and images (N, H, W, 3) of all prompts."""
    noise = initial_noise(prompts["prompt_id"].tolist(), SEED, latent_shape(pipe))
    parts = [launch(pipe, prompts["prompt"].tolist()[part], noise[part], sampler) for part in slices(len(prompts), LAUNCH)]
    latents = np.concatenate([latents.float().cpu().numpy() for latents, _ in parts])
    with replacing(file) as draft:
        np.savez(draft, latents=latents, images=np.stack([np.asarray(image) for _, images in parts for image in images]))


def measure(pipe, prompts: pd.DataFrame, points: list[Point], args: argparse.Namespace) -> pd.DataFrame:
    """Seconds an image of every point, interleaved."""
    noise = initial_noise(prompts["prompt_id"].tolist(), SEED, latent_shape(pipe))
    texts = prompts["prompt"].tolist()
    runs = {p.name: partial(sample_latents, pipe, texts, noise, sampler_of(p, args.guidance)) for p in points}
    table = measure_latency(runs, args.plane["repeats"], args.device)
    return table.assign(seconds_per_image=table["seconds"] / len(prompts))


def distance(file: Path, uncached: Path) -> pd.DataFrame:
    """One row a prompt, one column a metric."""
    mine, twin = np.load(file), np.load(uncached)
    pictures = [[Image.fromarray(image) for image in arrays["images"]] for arrays in (mine, twin)]
    return pd.DataFrame(
        {
            latent_mse.NAME: latent_mse.per_image(mine["latents"], twin["latents"]),
            stlpips_alex.NAME: stlpips_alex.distance(*pictures),
        }
    )


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--pipeline", required=True, help="pipeline folder or hub id")
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--plane", type=json.loads, required=True, help="the section `plane` of the config as JSON")
    parser.add_argument("--steps", type=int, required=True, help="steps of the uncached run")
    parser.add_argument("--guidance", type=float, required=True)
    parser.add_argument("--goal", required=True, help="the point that others are compared with")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--code", default="", help="hash of the code: partial work of other code is not resumed")
    cli.run(parser, work)
