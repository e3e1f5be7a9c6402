"""Every way of caching beside plain solvers with fewer steps: distance to the uncached output against measured cost."""

import argparse
import json
import shutil
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from fcr_core.backbones.loading import load_pipeline
from fcr_core.backbones.weights_hash import content_hash
from fcr_core.cost.flops import count_unet_flops
from fcr_core.jobs.files import replacing
from fcr_core.jobs.job import partial_work, sha256_of
from fcr_core.sampling.plane import counted_cost, distance, draw_to_file, sampler_of, seconds_an_image
from fcr_core.tables.plane import plane_table, points_of
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    pipe = load_pipeline(args.pipeline).to(args.device)
    prompts = pd.read_parquet(args.prompts).head(args.plane["prompts"])
    points = points_of(args.plane, args.steps)
    samplers = {point.name: sampler_of(point, args.guidance) for point in points}
    settings = {key: getattr(args, key) for key in ("steps", "guidance", "code")} | {"count": len(prompts)}
    settings["inputs"] = [content_hash(args.pipeline), sha256_of(args.prompts)]
    state = partial_work(args.out, settings)
    files = {name: state / f"{name.replace(' ', '_')}.npz" for name in samplers}
    for name in tqdm([name for name, file in files.items() if not file.exists()], desc="sampling", unit="sampler"):
        draw_to_file(pipe, prompts, samplers[name], files[name], data=args.data)
    latency = seconds_an_image(pipe, prompts.head(args.plane["batch"]), samplers, args.plane["repeats"], args.device)
    flops = count_unet_flops(pipe.unet, pipe.tokenizer.model_max_length)
    cost = {name: counted_cost(flops, sampler, args.steps) for name, sampler in samplers.items()}
    distances = {name: distance(file, files[points[0].name], args.device) for name, file in tqdm(files.items(), desc="distances")}
    with replacing(args.out) as draft:
        plane_table(points, distances, latency, cost, args.goal).to_csv(draft, index=False)
    shutil.rmtree(state)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--pipeline", required=True, help="pipeline folder or hub id")
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="prepared data set with the prompts' pictures, for tasks that draw from them")
    parser.add_argument("--plane", type=json.loads, required=True, help="the section `plane` of the config as JSON")
    parser.add_argument("--steps", type=int, required=True, help="steps of the uncached run")
    parser.add_argument("--guidance", type=float, required=True)
    parser.add_argument("--goal", required=True, help="the point that others are compared with")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--code", default="", help="hash of the code: partial work of other code is not resumed")
    cli.run(parser, work)
