"""Chosen key steps against plain solvers of their latency on more held-out prompts than the recipe table has.

Latent MSE to the uncached output is heavy-tailed over prompts (a few trajectories fork), so its interval narrows slowly. This
takes every held-out concept on which no key step was chosen.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import stats
from tqdm import tqdm

from fcr_core.backbones.loading import load_pipeline
from fcr_core.data import load
from fcr_core.data.pixels import slices
from fcr_core.data.prepared import one_a_concept
from fcr_core.experiment.sampler import Sampler
from fcr_core.jobs.files import replacing
from fcr_core.metrics import latent_mse
from fcr_core.sampling.samples import LAUNCH, initial_noise, latent_shape, sample_latents
from fcr_core.statistics.intervals import mean_interval

STEPS, CUT = 50, 2
DEFAULTS = {"scheduler": "ddim", "steps": STEPS, "guidance": 3.0}


def held_out_prompts(excluded: set[str]) -> pd.DataFrame:
    """One prompt of each held-out concept that is not excluded, in the order of the evaluation."""
    rows = [(r.prompt_id, r.prompt, r.concept) for r in load("twemoji", "test")]
    table = one_a_concept(pd.DataFrame(rows, columns=["prompt_id", "prompt", "concept"]))
    return table[~table["concept"].isin(excluded)].reset_index(drop=True)


def latents_of(pipe, prompts: pd.DataFrame, sampler: Sampler, seed: int, file: Path) -> np.ndarray:
    """Final latents (N, C, h, w), kept in `file`."""
    if not file.exists():
        noise = initial_noise(prompts["prompt_id"].tolist(), seed, latent_shape(pipe))
        texts = prompts["prompt"].tolist()
        made = [sample_latents(pipe, texts[part], noise[part], sampler) for part in slices(len(texts), LAUNCH)]
        with replacing(file) as draft:
            np.save(draft, torch.cat(made).numpy())
    return np.load(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipeline", default="models/pocket")
    parser.add_argument("--search-prompts", type=Path, required=True, help="prompts that the keys were chosen on: left out")
    parser.add_argument("--keys", type=int, nargs="+", required=True, help="key steps of the cached sampler")
    parser.add_argument("--solver-steps", type=int, nargs="+", default=[14, 15])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path("results/more_prompts"), help="finished latents, for resuming")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    pipe = load_pipeline(args.pipeline)
    prompts = held_out_prompts(set(pd.read_parquet(args.search_prompts)["concept"]))
    keyed = f"FD-{len(args.keys)}keys-cut{CUT}-linear"
    samplers = {
        "uncached": Sampler.from_config({}, DEFAULTS),
        keyed: Sampler.from_config({"keys": args.keys, "cut": CUT, "reuse": "linear"}, DEFAULTS),
    }
    rivals = [{"stride": 5, "cut": CUT, "reuse": "linear"}]
    rivals += [{"scheduler": solver, "steps": n} for n in args.solver_steps for solver in ("ddim", "dpm++")]
    samplers |= {sampler.name: sampler for row in rivals for sampler in [Sampler.from_config(row, DEFAULTS)]}
    distances = {}
    for name, sampler in tqdm(samplers.items(), unit="sampler"):
        seeds = [latents_of(pipe, prompts, sampler, seed, args.work / f"{name}-seed{seed}.npy") for seed in args.seeds]
        twins = [np.load(args.work / f"uncached-seed{seed}.npy") for seed in args.seeds]
        distances[name] = np.mean([latent_mse.per_image(a, b) for a, b in zip(seeds, twins, strict=True)], axis=0)
    rows = []
    for name, values in list(distances.items())[1:]:
        gap = distances[keyed] - values
        less = mean_interval(gap)
        rows.append({
            "sampler": name, "mean": values.mean(), "median": np.median(values), f"{keyed} less it": less.value,
            "95 % low": less.low, "95 % high": less.high, "one-sided bound": less.upper_bound,
            "prompts where it is closer": f"{(gap < 0).mean():.0%}",
            "Wilcoxon p": stats.wilcoxon(gap).pvalue if gap.any() else 1.0,
        })  # fmt: skip
    print(f"{len(prompts)} held-out prompts x {len(args.seeds)} seeds, latent MSE to uncached-{STEPS}\n")
    print(pd.DataFrame(rows).to_markdown(index=False, floatfmt=".4g"))


if __name__ == "__main__":
    main()
