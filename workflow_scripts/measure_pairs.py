"""Distance of every sampled image to the uncached image of the same prompt and noise: latent MSE, ST-LPIPS, PSNR and SSIM.

`own` = to the uncached output of the same weights, `base` = to that of the base model.
"""

import argparse
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from fcr_core.data.pictures import Pictures
from fcr_core.features import stlpips_alex
from fcr_core.measurements import write_rows
from fcr_core.metrics import latent_mse, psnr, ssim
from workflow_scripts import cli


def work(args: argparse.Namespace) -> None:
    rows = []
    distances = cache(pair_distances)  # a row of the base model is its own base
    for kind, twins in (("own", args.own), ("base", args.base)):
        for seed, folder, twin in zip(args.seeds, args.samples, twins, strict=True):
            for metric, values in distances(folder, twin).items():
                rows += [
                    {"metric": f"{metric}_{kind}", "seed": seed, "prompt_id": prompt_id, "value": value}
                    for prompt_id, value in values.items()
                ]
    write_rows(args.out, None, rows)


def pair_distances(folder: Path, twin: Path) -> dict[str, dict[str, float]]:
    """Metric -> distance by prompt_id, for the prompts that both folders hold; a twin may hold only the first ones."""
    ids = folder_ids(twin)
    latents, twins = np.load(folder / "latents.npy")[: len(ids)], np.load(twin / "latents.npy")[: len(folder_ids(folder))]
    ids = ids[: len(latents)]
    if ids != folder_ids(folder)[: len(ids)]:
        raise ValueError(f"{folder} and {twin} hold different prompts")
    pictures = [list(Pictures([str(place / f"{prompt_id}.png") for prompt_id in ids])) for place in (folder, twin)]
    pixels = [np.stack([np.asarray(image) for image in images]) for images in pictures]
    distances = {
        latent_mse.METRIC.name(): latent_mse.per_image(latents, twins),
        stlpips_alex.NAME: stlpips_alex.distance(*pictures),
        psnr.METRIC.name(): psnr.per_image(*pixels),
        ssim.METRIC.name(): ssim.per_image(*pixels),
    }
    return {name: dict(zip(ids, values, strict=True)) for name, values in distances.items()}


def folder_ids(folder: Path) -> list[str]:
    return pd.read_parquet(folder / "manifest.parquet")["prompt_id"].tolist()


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--samples", type=Path, nargs="+", required=True, help="one folder a seed")
    parser.add_argument("--own", type=Path, nargs="+", required=True, help="uncached twins by the same weights")
    parser.add_argument("--base", type=Path, nargs="+", required=True, help="uncached twins by the base model")
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    cli.run(parser, work)
