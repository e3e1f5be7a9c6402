"""Measured speed-up over the uncached UNet, as a share of what FLOPs allow, for strides, cuts and nodes: one process, one table.

python benchmarks/sampler.py --unet pocket --batch 64
python benchmarks/sampler.py --unet sd15 --batch 1 --steps 10 --strides 5 10 --repeats 1
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from itertools import product
from types import SimpleNamespace

import pandas as pd
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel

from fcr_core import EncoderCache
from fcr_core.efficiency import UNetFlops, count_unet_flops, flop_limit
from fcr_core.latency import measure_latency, process_bytes
from fcr_core.pipelines import load_pipeline
from fcr_core.schedule import KeySteps, Plan


def sd15_unet() -> UNet2DConditionModel:
    """Stable Diffusion v1.5's UNet, 859.5 M random weights."""
    return UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8).eval()


UNETS: dict[str, tuple[Callable[[], UNet2DConditionModel], int]] = {
    "pocket": (lambda: load_pipeline("models/pocket").unet, 24),
    "sd15": (sd15_unet, 77),
}


@torch.no_grad()
def sample(pipe: SimpleNamespace, noise: torch.Tensor, text: torch.Tensor, steps: int) -> torch.Tensor:
    """A guided DDIM run without text encoder and VAE."""
    pipe.scheduler.set_timesteps(steps)
    x = noise
    for t in pipe.scheduler.timesteps:
        unconditional, conditional = pipe.unet(torch.cat([x, x]), t, encoder_hidden_states=text, return_dict=False)[0].chunk(2)
        x = pipe.scheduler.step(unconditional + 3 * (conditional - unconditional), t, x, return_dict=False)[0]
    return x


@torch.no_grad()
def literal_faster_diffusion(
    pipe: SimpleNamespace, noise: torch.Tensor, text: torch.Tensor, steps: int, stride: int
) -> torch.Tensor:
    """Faster Diffusion's sequential loop written out: encoder every `stride` steps, decoder at each."""
    unet = pipe.unet
    pipe.scheduler.set_timesteps(steps)
    x = noise
    for i, t in enumerate(pipe.scheduler.timesteps):
        emb = unet.time_embedding(unet.time_proj(t.expand(2 * len(x))).to(x.dtype))
        if i % stride == 0:
            mid, residuals = encoder(unet, torch.cat([x, x]), emb, text)
        unconditional, conditional = decoder(unet, mid, residuals, emb, text).chunk(2)
        x = pipe.scheduler.step(unconditional + 3 * (conditional - unconditional), t, x, return_dict=False)[0]
    return x


def crossed(block: torch.nn.Module, text: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"encoder_hidden_states": text} if getattr(block, "has_cross_attention", False) else {}


def encoder(unet, x, emb, text) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    h = unet.conv_in(x)
    residuals = (h,)
    for block in unet.down_blocks:
        h, more = block(hidden_states=h, temb=emb, **crossed(block, text))
        residuals += more
    return unet.mid_block(h, emb, encoder_hidden_states=text), residuals


def decoder(unet, h, residuals, emb, text) -> torch.Tensor:
    for block in unet.up_blocks:
        count = len(block.resnets)
        h = block(hidden_states=h, temb=emb, res_hidden_states_tuple=residuals[-count:], **crossed(block, text))
        residuals = residuals[:-count]
    return unet.conv_out(unet.conv_act(unet.conv_norm_out(h)))


def cached(pipe, noise, text, steps: int, plan: Plan, parallel: bool, max_parallel: int) -> torch.Tensor:
    with EncoderCache(pipe, plan, parallel=parallel, max_parallel=max_parallel):
        return sample(pipe, noise, text, steps)


def runs_of(args: argparse.Namespace, pipe, noise, text, flops: UNetFlops) -> tuple[dict, dict[str, float]]:
    """The runs by name and the FLOP limit of each."""
    runs = {"uncached": partial(sample, pipe, noise, text, args.steps)}
    limits = {"uncached": 1.0}
    for stride in args.strides:
        name = f"literal FD-{stride}, sequential"
        runs[name] = partial(literal_faster_diffusion, pipe, noise, text, args.steps, stride)
        limits[name] = flop_limit(flops, args.steps, Plan(KeySteps.uniform(stride)))
    cuts = [cut for cut in args.cuts if cut < len(pipe.unet.up_blocks)]
    for stride, cut, nodes, mode in product(args.strides, cuts, args.nodes, args.modes):
        plan = Plan(KeySteps.uniform(stride), cut, nodes=None if nodes == "all" else int(nodes))
        name = f"FD-{stride} cut {cut} nodes {nodes}, {mode}"
        runs[name] = partial(cached, pipe, noise, text, args.steps, plan, mode == "parallel", args.max_parallel)
        limits[name] = flop_limit(flops, args.steps, plan)
    for limit in sorted({round(args.steps / value) for value in limits.values()}):
        name = f"DDIM-{limit}"
        runs[name] = partial(sample, pipe, noise, text, limit)
        limits[name] = args.steps / limit
    return runs, limits


def main() -> None:
    args = parse()
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    build, tokens = UNETS[args.unet]
    unet = build()
    flops = count_unet_flops(unet, tokens)
    pipe = SimpleNamespace(unet=unet, scheduler=DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False))
    noise = torch.randn(args.batch, 4, unet.config.sample_size, unet.config.sample_size)
    text = torch.randn(2 * args.batch, tokens, unet.config.cross_attention_dim)
    runs, limits = runs_of(args, pipe, noise, text, flops)
    table = measure_latency(runs, args.repeats)
    seconds = table.groupby("sampler")["seconds"].median()
    rows = [{"run": n, "s": seconds[n], "speed-up": seconds["uncached"] / seconds[n], "FLOP limit": limits[n]} for n in runs]
    shown = pd.DataFrame(rows)
    shown["share of the limit"] = shown["speed-up"] / shown["FLOP limit"]
    print(f"{args.unet}, batch {args.batch} with guidance, {args.steps} steps, {args.threads} threads, median of {args.repeats}; "
          f"{process_bytes() / 1e9:.1f} GB resident")  # fmt: skip
    print(shown.round(3).to_markdown(index=False))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--unet", choices=UNETS, default="pocket")
    parser.add_argument("--batch", type=int, default=64, help="images; guidance doubles the rows")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--strides", type=int, nargs="+", default=[5, 10, 15, 20])
    parser.add_argument("--cuts", type=int, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--nodes", nargs="+", default=["all", "2"])
    parser.add_argument("--modes", nargs="+", choices=["sequential", "parallel"], default=["sequential", "parallel"])
    parser.add_argument("--max-parallel", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
