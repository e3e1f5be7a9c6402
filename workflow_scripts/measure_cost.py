"""Cost of each way of sampling: passes, FLOPs, latency (interleaved repeats) and peak memory of tensors, by batch size."""

import argparse
import json
from functools import partial
from pathlib import Path

import pandas as pd
from PIL import Image

from fcr_core.backbones.loading import load_pipeline
from fcr_core.caching.key_search import read_keys
from fcr_core.caching.plan import KeySteps, Plan
from fcr_core.cost.clock import measure_latency, peak_tensor_bytes
from fcr_core.cost.flops import count_unet_flops
from fcr_core.cost.plan_flops import passes, sampling_flops
from fcr_core.experiment.sampler import Sampler
from fcr_core.jobs.files import replacing
from fcr_core.jobs.job import device_used
from fcr_core.sampling.samples import decode_latents, initial_noise, latent_shape, sample_latents, sampling_inputs
from fcr_core.sampling.scenarios import draw_at
from workflow_scripts import cli

# For tasks that draw from a picture: what it shows changes neither time nor memory.
RAMP = Image.linear_gradient("L").convert("RGB")

# Counted as a plan in which every step is a key step.
UNCACHED = Plan(KeySteps.uniform(1))


def work(args: argparse.Namespace) -> None:
    pipe = load_pipeline(args.pipeline).to(args.device)
    if args.size:
        draw_at(pipe, args.size)
    keys = {file.stem: read_keys(file) for file in args.keys}
    samplers = {sampler.name: sampler for sampler in map(Sampler.from_json, args.samplers)}
    samplers |= {name: samplers[name].with_keys(chosen) for name, chosen in keys.items()}
    plans = {name: sampler.plan or UNCACHED for name, sampler in samplers.items()}
    flops = count_unet_flops(pipe.unet, pipe.tokenizer.model_max_length)
    prompts = pd.read_parquet(args.prompts)
    tables = []
    for batch in args.batches:
        chosen = prompts.head(batch)
        noise = initial_noise(chosen["prompt_id"].tolist(), 0, latent_shape(pipe))
        inputs = sampling_inputs(pipe, chosen["prompt_id"].tolist(), 0, [RAMP] * batch, batch)
        texts = chosen["prompt"].tolist()
        runs = {n: partial(sample_latents, pipe, texts, noise, s, inputs=inputs) for n, s in samplers.items()}
        table = measure_latency(runs, args.repeats, args.device)
        loop = {name: peak_tensor_bytes(run, args.device) for name, run in runs.items()}
        # A user's peak is that of a call, prompts to pixels; with many images the VAE needs more than the sampling before it.
        pixels = peak_tensor_bytes(lambda noise=noise: decode_latents(pipe, noise.to(args.device, copy=True)), args.device)
        peaks = table["sampler"].map(loop)
        tables.append(table.assign(batch=batch, loop_tensor_bytes=peaks, peak_tensor_bytes=peaks.clip(lower=pixels)))
    table = pd.concat(tables, ignore_index=True)
    counts = {name: passes(sampler.steps, plans[name]) for name, sampler in samplers.items()}
    table["encoder_passes"] = table["sampler"].map(lambda name: counts[name][0])
    table["decoder_passes"] = table["sampler"].map(lambda name: counts[name][1])
    table["unet_flops"] = table["sampler"].map(
        lambda n: sampling_flops(flops, samplers[n].steps, plans[n], guided=samplers[n].guidance > 1)
    )
    table["device"] = device_used()
    table["seconds_per_image"] = table["seconds"] / table["batch"]
    with replacing(args.out) as draft:
        table.to_parquet(draft, index=False)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--pipeline", required=True, help="pipeline folder or hub id")
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--samplers", type=json.loads, required=True, help="fcr_core.experiment.sampler.Sampler, as a JSON list")
    parser.add_argument(
        "--keys", type=Path, action="append", default=[], help="written by search_key_steps, called by the sampler"
    )
    parser.add_argument("--batches", type=int, nargs="+", required=True)
    parser.add_argument("--repeats", type=int, required=True)
    parser.add_argument("--size", type=int, help="side of the images in pixels; default: the backbone's own")
    parser.add_argument("--device", default="cpu")
    cli.run(parser, work)
