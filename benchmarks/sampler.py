"""Measured speed-up over the uncached UNet, as a share of what FLOPs allow, for strides, cuts and nodes: one process, one table.

"FLOP limit" counts what runs, "by blocks" whole up blocks, as the literature does: the cache keeps the head of the first.

python benchmarks/sampler.py --unet pocket --batch 64
python benchmarks/sampler.py --unet sd15 --batch 1 --steps 10 --strides 5 10 --modes default --warmup 0

`make benchmark` runs both with the allocator set as in the DAG: else glibc gives large activations back to the system after use.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from types import SimpleNamespace
from typing import Any

import pandas as pd
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from rivals import deepcache_package, literal_faster_diffusion, sample

from fcr_core import EncoderCache
from fcr_core.backbones.loading import load_pipeline
from fcr_core.caching.plan import KeySteps, Plan
from fcr_core.cost.clock import measure_latency, peak_tensor_bytes, process_bytes
from fcr_core.cost.flops import count_unet_flops
from fcr_core.cost.plan_flops import UNetFlops, flop_limit

MODES: dict[str, dict[str, Any]] = {"default": {}, "sequential": {"parallel": False}, "parallel": {"max_parallel": 16}}


def sd15_unet() -> UNet2DConditionModel:
    """Stable Diffusion v1.5's UNet, 859.5 M random weights."""
    unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8).eval()
    return unet.to(memory_format=torch.channels_last)


UNETS: dict[str, tuple[Callable[[], UNet2DConditionModel], int]] = {
    "pocket": (lambda: load_pipeline("models/pocket").unet, 24),
    "sd15": (sd15_unet, 77),
}


def cached(cache: EncoderCache, *call: Any) -> torch.Tensor:
    with cache:
        return sample(*call)


def plans_of(args: argparse.Namespace, blocks: int) -> dict[str, Plan]:
    """The plans by name."""
    cuts = [cut for cut in args.cuts if cut < blocks]
    return {
        f"FD-{stride} cut {cut} nodes {nodes}": Plan(KeySteps.uniform(stride), cut, nodes=None if nodes == "all" else int(nodes))
        for stride, cut, nodes in product(args.strides, cuts, args.nodes)
    }


def limits_of(flops: UNetFlops, steps: int, plan: Plan) -> tuple[float, float]:
    """The speed-up that FLOPs allow, and that with whole up blocks, no head kept."""
    return flop_limit(flops, steps, plan), flop_limit(replace(flops, heads={}), steps, plan)


def runs_of(args: argparse.Namespace, pipe, noise, text, flops: UNetFlops) -> tuple[dict, dict[str, tuple[float, float]]]:
    """The runs by name and the FLOP limits of each; that of DeepCache, which cuts inside a block, is not counted."""
    call = (pipe, noise, text, args.steps)
    runs: dict[str, Callable[[], torch.Tensor]] = {"uncached": partial(sample, *call)}
    limits = {"uncached": (1.0, 1.0)}
    for (name, plan), mode in product(plans_of(args, len(pipe.unet.up_blocks)).items(), args.modes):
        runs[f"{name}, {mode}"] = partial(cached, EncoderCache(pipe, plan, **MODES[mode]), *call)
        limits[f"{name}, {mode}"] = limits_of(flops, args.steps, plan)
    if args.rivals:
        add_rivals(args, call, flops, runs, limits)
    if args.compiled:
        add_compiled(args, pipe, noise, text, runs, limits)
    return runs, limits


def add_rivals(
    args: argparse.Namespace, call: tuple, flops: UNetFlops, runs: dict, limits: dict[str, tuple[float, float]]
) -> None:
    """Faster Diffusion written out, the DeepCache package, and DDIM with the FLOPs of each plan."""
    for steps in sorted({round(args.steps / limit) for limit, _ in limits.values()} - {args.steps}):
        runs[f"DDIM-{steps}"] = partial(sample, *call[:3], steps)
        limits[f"DDIM-{steps}"] = (args.steps / steps,) * 2
    for stride in args.strides:
        runs[f"literal FD-{stride}, sequential"] = partial(literal_faster_diffusion, *call, stride)
        limits[f"literal FD-{stride}, sequential"] = (limits_of(flops, args.steps, Plan(KeySteps.uniform(stride)))[1],) * 2
        runs[f"DeepCache package, {stride}"] = partial(deepcache_package, *call, stride)


def add_compiled(args: argparse.Namespace, pipe, noise, text, runs: dict, limits: dict[str, tuple[float, float]]) -> None:
    """The uncached run and every plan with the default launch size, of `torch.compile(unet)`."""
    compiled = SimpleNamespace(unet=torch.compile(pipe.unet, dynamic=False), scheduler=pipe.scheduler)
    torch._dynamo.config.recompile_limit = 64  # one graph a cut and launch size
    runs["uncached, compiled"] = partial(sample, compiled, noise, text, args.steps)
    limits["uncached, compiled"] = (1.0, 1.0)
    for name, plan in plans_of(args, len(pipe.unet.up_blocks)).items():
        runs[f"{name}, compiled"] = partial(cached, EncoderCache(compiled, plan), compiled, noise, text, args.steps)
        limits[f"{name}, compiled"] = limits[f"{name}, {args.modes[0]}"]


def table_of(args: argparse.Namespace, runs: dict, limits: dict[str, tuple[float, float]], weights: int) -> pd.DataFrame:
    """One row a run. Speed-up: median over rounds of the ratio within a round, compiled runs over the compiled uncached one."""
    timings = measure_latency(runs, args.repeats, args.device, args.nvtx, args.warmup)
    seconds = timings.pivot(index="repeat", columns="sampler", values="seconds")
    rows = []
    for name in runs:
        rival = "uncached, compiled" if name.endswith("compiled") else "uncached"
        speedup = (seconds[rival] / seconds[name]).median()
        limit, by_blocks = limits.get(name, (float("nan"),) * 2)
        rows.append(
            {"run": name, "s": seconds[name].median(), "speed-up": speedup, "FLOP limit": limit, "share": speedup / limit}
        )
        rows[-1] |= {"limit by blocks": by_blocks, "share by blocks": speedup / by_blocks}
    table = pd.DataFrame(rows)
    if args.memory:
        peaks = {name: peak_tensor_bytes(run, args.device) for name, run in runs.items() if "compiled" not in name}
        table["peak MB"] = table["run"].map(peaks) / 1e6
        table["memory over uncached"] = (weights + table["run"].map(peaks)) / (weights + peaks["uncached"]) - 1
    return table


def main() -> None:
    args = parse()
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    build, tokens = UNETS[args.unet]
    unet = build().to(args.device)
    flops = count_unet_flops(unet, tokens)
    pipe = SimpleNamespace(unet=unet, scheduler=DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False))
    noise = torch.randn(args.batch, 4, unet.config.sample_size, unet.config.sample_size, device=args.device)
    text = torch.randn(2 * args.batch, tokens, unet.config.cross_attention_dim, device=args.device)
    runs, limits = runs_of(args, pipe, noise, text, flops)
    weights = sum(p.nbytes for p in unet.parameters())
    setting = f"{args.unet}, batch {args.batch} with guidance, {args.steps} steps, {args.threads} threads"
    table = table_of(args, runs, limits, weights)
    memory = f"weights {weights / 1e6:.0f} MB, the process {process_bytes(args.device) / 1e6:.0f} MB"
    print(f"{setting}, {args.device}, {args.repeats} interleaved rounds; {memory}")
    print(table.round(3).to_markdown(index=False))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--unet", choices=UNETS, default="pocket")
    parser.add_argument("--batch", type=int, default=64, help="images; guidance doubles the rows")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--strides", type=int, nargs="+", default=[5, 10, 15, 20])
    parser.add_argument("--cuts", type=int, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--nodes", nargs="+", default=["all", "2"])
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES), help="steps a launch: default, one, up to 16")
    parser.add_argument("--rivals", action=argparse.BooleanOptionalAction, default=True, help="other samplers beside it")
    parser.add_argument("--compiled", action="store_true", help="also compiled: minutes of compilation")
    parser.add_argument("--memory", action="store_true", help="also the peak of tensors made while running, and with the weights")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--nvtx", action="store_true", help="name each run for Nsight")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--warmup", type=int, default=1, help="uncounted rounds")
    return parser.parse_args()


if __name__ == "__main__":
    main()
