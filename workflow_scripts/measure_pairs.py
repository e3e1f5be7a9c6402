"""Distance of every sampled image to the uncached image of the same prompt and noise: latent MSE, ST-LPIPS, PSNR and SSIM.

`own` = to the uncached output of the same weights, `base` = to that of the base model.
"""

import argparse
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from fcr_core.data.pictures import Pictures
from fcr_core.features import stlpips_alex
from fcr_core.images import slices
from fcr_core.measurements import write_rows
from fcr_core.metrics import latent_mse, psnr, ssim
from workflow_scripts import cli

BATCH = 50


def work(args: argparse.Namespace) -> None:
    rows = []
    distances_of = cache(pair_distances)  # a row of the base model is its own base
    for kind, twins in (("own", args.own), ("base", args.base)):
        for seed, folder, twin in zip(args.seeds, args.samples, twins, strict=True):
            for metric, values in distances_of(folder, twin).items():
                rows += [
                    {"metric": f"{metric}_{kind}", "seed": seed, "prompt_id": prompt_id, "value": value}
                    for prompt_id, value in values.items()
                ]
    write_rows(args.out, rows)


def pair_distances(folder: Path, twin: Path) -> dict[str, dict[str, float]]:
    """Metric -> distance by prompt_id, for the prompts that both folders hold; a twin may hold only the first ones."""
    own_ids, twin_ids = folder_ids(folder), folder_ids(twin)
    ids = min(own_ids, twin_ids, key=len)
    if own_ids[: len(ids)] != twin_ids[: len(ids)]:
        raise ValueError(f"{folder} and {twin} hold different prompts")
    latents = [np.load(place / "latents.npy", mmap_mode="r") for place in (folder, twin)]
    pictures = [Pictures.of(place, ids) for place in (folder, twin)]
    # 30,000 pairs at 512 px are 47 GB.
    parts = tqdm(slices(len(ids), BATCH), desc=f"pairs of {folder}", unit="batch")
    tables = [distances([rows[part] for rows in latents], [images[part] for images in pictures]) for part in parts]
    return {name: dict(zip(ids, np.concatenate([table[name] for table in tables]), strict=True)) for name in tables[0]}


def distances(latents: list[np.ndarray], pictures: list[list[Image.Image]]) -> dict[str, np.ndarray]:
    """Metric -> (N,), of latents (N, C, h, w) and images of one folder and the other."""
    pixels = [np.stack([np.asarray(image) for image in images]) for images in pictures]
    return {
        latent_mse.METRIC.name(): latent_mse.per_image(*latents),
        stlpips_alex.NAME: stlpips_alex.distance(*pictures),
        psnr.METRIC.name(): psnr.per_image(*pixels),
        ssim.METRIC.name(): ssim.per_image(*pixels),
    }


def folder_ids(folder: Path) -> list[str]:
    return pd.read_parquet(folder / "manifest.parquet")["prompt_id"].tolist()


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--samples", type=Path, nargs="+", required=True, help="one folder a seed")
    parser.add_argument("--own", type=Path, nargs="+", required=True, help="uncached twins by the same weights")
    parser.add_argument("--base", type=Path, nargs="+", required=True, help="uncached twins by the base model")
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    cli.run(parser, work)
