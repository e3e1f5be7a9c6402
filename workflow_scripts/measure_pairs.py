"""Distance of every sampled image to the uncached image of the same prompt and noise: latent MSE and ST-LPIPS.

`own` = to the uncached output of the same weights, `base` = to that of the base model.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from fcr_core.features import stlpips_alex
from fcr_core.measurements import write_rows
from fcr_core.metrics import latent_mse
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    rows = []
    for kind, twins in (("own", args.own), ("base", args.base)):
        for seed, folder, twin in zip(args.seeds, args.samples, twins, strict=True):
            rows += pair_rows(kind, seed, folder, twin)
    write_rows(args.out, None, rows)


def pair_rows(kind: str, seed: int, folder: Path, twin: Path) -> list[dict]:
    """Rows for the prompts that both folders hold; a twin may hold only the first ones."""
    ids = pd.read_parquet(twin / "manifest.parquet")["prompt_id"].tolist()
    latents, twins = np.load(folder / "latents.npy")[: len(ids)], np.load(twin / "latents.npy")[: len(folder_ids(folder))]
    ids = ids[: len(latents)]
    if ids != folder_ids(folder)[: len(ids)]:
        raise ValueError(f"{folder} and {twin} hold different prompts")
    pictures = [[Image.open(place / f"{prompt_id}.png") for prompt_id in ids] for place in (folder, twin)]
    values = {
        f"{latent_mse.NAME}_{kind}": latent_mse.per_image(latents, twins),
        f"{stlpips_alex.NAME}_{kind}": stlpips_alex.distance(*pictures),
    }
    return [
        {"metric": metric, "seed": seed, "prompt_id": prompt_id, "value": value}
        for metric, column in values.items()
        for prompt_id, value in zip(ids, column, strict=True)
    ]


def folder_ids(folder: Path) -> list[str]:
    return pd.read_parquet(folder / "manifest.parquet")["prompt_id"].tolist()


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--samples", type=Path, nargs="+", required=True, help="one folder a seed")
    parser.add_argument("--own", type=Path, nargs="+", required=True, help="uncached twins by the same weights")
    parser.add_argument("--base", type=Path, nargs="+", required=True, help="uncached twins by the base model")
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    cli.run(parser, work)
