"""Feature variance σ²_Δ of a model on real held-out images, for each Δ and each fine-tune seed."""

import argparse
from pathlib import Path

import pandas as pd

from fcr_core.backbones.loading import encode_prompts, load_network, load_pipeline
from fcr_core.backbones.tasks import conditioning_of
from fcr_core.data.prepared import images_of
from fcr_core.finetuning.feature_variance import feature_variance, mean_over_blocks
from fcr_core.jobs.files import replacing
from fcr_core.tables.long_table import write_rows
from workflow_scripts import cli

NOISE_SEED = 0


def work(args: argparse.Namespace) -> None:
    prompts = pd.read_parquet(args.prompts).head(args.count)
    pipe = load_pipeline(args.pipeline).to(args.device)
    ids = prompts["prompt_id"].tolist()
    latents = conditioning_of(pipe.unet).encode(pipe, images_of(args.data, ids), ids)
    texts = encode_prompts(pipe, prompts["prompt"].tolist())
    rows, blocks = [], []
    for seed, folder in zip(args.seeds, args.unets, strict=True) if args.unets else [(args.seeds[0], None)]:
        unet = load_network(folder).to(args.device).eval() if folder else pipe.unet
        table = feature_variance(unet, pipe.scheduler, latents, texts, args.deltas, NOISE_SEED)
        named = table.assign(seed=seed, prompt_id=[ids[image] for image in table["image"]])
        blocks.append(named[["seed", "prompt_id", "block", "delta", "mse", "relative", "norm"]])
        for row in mean_over_blocks(table).itertuples():
            base = {"seed": seed, "prompt_id": ids[row.image]}
            rows.append(base | {"metric": f"feature_variance_d{row.delta}", "value": row.mse})
            rows.append(base | {"metric": f"feature_variance_relative_d{row.delta}", "value": row.relative})
    with replacing(args.blocks) as draft:
        pd.concat(blocks, ignore_index=True).to_parquet(draft, index=False)
    write_rows(args.out, rows)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--pipeline", required=True, help="pipeline folder or hub id")
    parser.add_argument(
        "--unets", type=Path, nargs="*", default=[], help="fine-tuned UNets, one a seed; none = the pipeline's own"
    )
    parser.add_argument("--blocks", type=Path, required=True, help="also write each block's values here")
    parser.add_argument("--data", type=Path, required=True, help="prepared data set")
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--count", type=int, required=True, help="use the first so many prompts and their real images")
    parser.add_argument("--deltas", type=int, nargs="+", required=True, help="in training timesteps")
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--device", default="cpu")
    cli.run(parser, work)
