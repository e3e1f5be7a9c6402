"""What decoding several steps a launch gains or loses, beside the bytes of features that the launch reads.

`fcr_core.caching.launches.LAUNCH_BYTES`, up to which `EncoderCache` decodes on a CPU by default, was read off this table.

python benchmarks/launch_size.py --unet pocket --batch 1 4 8 20 64
python benchmarks/launch_size.py --unet sd15 --batch 1 --repeats 2
"""

from __future__ import annotations

import argparse
from functools import partial

import pandas as pd
import torch
from sampler import UNETS

from fcr_core.caching.batched_call import repeat, tile_call
from fcr_core.caching.launches import byte_count
from fcr_core.cost.clock import measure_latency
from fcr_core.unet.split_unet import SplitUNet


@torch.no_grad()
def rows_of(unet, tokens: int, cut: int, batch: int, args: argparse.Namespace) -> list[dict[str, float]]:
    """One row a launch size: milliseconds a decoded step, and how much faster than one step a launch."""
    side, width = unet.config.sample_size, unet.config.cross_attention_dim
    call = {"sample": torch.randn(2 * batch, 4, side, side), "timestep": torch.tensor(500)}
    call["encoder_hidden_states"] = torch.randn(2 * batch, tokens, width)
    split = SplitUNet(unet, cut)
    _, features = split.whole(**call)

    def decode(steps: int) -> None:
        split.decode(tuple(repeat(f, steps) for f in features), **tile_call(call, torch.arange(500, 500 - steps, -1)))

    table = measure_latency({str(steps): partial(decode, steps) for steps in args.steps}, args.repeats)
    ms = {steps: 1000 * table[table["sampler"] == str(steps)]["seconds"].median() / steps for steps in args.steps}
    kept = byte_count(features) / 1e6
    return [
        {"batch": batch, "cut": cut, "steps": n, "MB": n * kept, "ms a step": ms[n], "gain": ms[1] / ms[n]} for n in args.steps
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--unet", choices=UNETS, default="pocket")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4, 8, 20, 64], help="images; guidance doubles the rows")
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2, 4, 9], help="decoded a launch")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    build, tokens = UNETS[args.unet]
    unet = build()
    cuts = (0, len(unet.up_blocks) - 1)
    rows = [row for batch in args.batch for cut in cuts for row in rows_of(unet, tokens, cut, batch, args)]
    print(f"{args.unet}, {args.threads} threads, median of {args.repeats}")
    print(pd.DataFrame(rows).round(2).to_markdown(index=False))


if __name__ == "__main__":
    main()
