"""Distance of every sampled image to the uncached image of the same prompt and noise: latent MSE, ST-LPIPS, PSNR and SSIM.

`own` = to the uncached output of the same weights, `base` = to that of the base model. Killed, it goes on where it was.
"""

import argparse
import shutil
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from tqdm import tqdm

from fcr_core.data.pictures import Pictures
from fcr_core.data.pixels import slices
from fcr_core.features import stlpips_alex
from fcr_core.jobs.job import partial_work, sha256_of
from fcr_core.jobs.kept_tensors import kept
from fcr_core.metrics import latent_mse, psnr, ssim
from fcr_core.tables.long_table import write_rows
from workflow_scripts import cli

BATCH = 50
METRICS = (latent_mse.METRIC.name(), stlpips_alex.NAME, psnr.METRIC.name(), ssim.METRIC.name())


def work(args: argparse.Namespace) -> None:
    drawn = [*args.samples, *args.own, *args.base]
    state = partial_work(args.out, {"code": args.code, "inputs": [sha256_of(folder / "latents.npy") for folder in drawn]})

    @cache  # a row of the base model is its own base
    def distances_of(folder: Path, twin: Path) -> dict[str, dict[str, float]]:
        return pair_distances(folder, twin, state / f"{drawn.index(folder)}-{drawn.index(twin)}", args.device)

    rows = []
    for kind, twins in (("own", args.own), ("base", args.base)):
        for seed, folder, twin in zip(args.seeds, args.samples, twins, strict=True):
            for metric, values in distances_of(folder, twin).items():
                rows += [
                    {"metric": f"{metric}_{kind}", "seed": seed, "prompt_id": prompt_id, "value": value}
                    for prompt_id, value in values.items()
                ]
    write_rows(args.out, rows)
    shutil.rmtree(state)


def pair_distances(folder: Path, twin: Path, state: Path, device: str) -> dict[str, dict[str, float]]:
    """Metric -> distance by prompt_id, for the prompts that both folders hold; a twin may hold only the first ones."""
    own_ids, twin_ids = folder_ids(folder), folder_ids(twin)
    ids = min(own_ids, twin_ids, key=len)
    if own_ids[: len(ids)] != twin_ids[: len(ids)]:
        raise ValueError(f"{folder} and {twin} hold different prompts")
    latents = [np.load(place / "latents.npy", mmap_mode="r") for place in (folder, twin)]
    pictures = [Pictures.of(place, ids) for place in (folder, twin)]
    # 30,000 pairs at 512 px are 47 GB.
    parts = tqdm(slices(len(ids), BATCH), desc=f"pairs of {folder}", unit="batch")

    def measured(part: slice) -> torch.Tensor:
        return distances([rows[part] for rows in latents], [images[part] for images in pictures], device)

    tables = [kept(state / f"{part.start:08d}.pt", partial(measured, part)) for part in parts]
    return {
        name: dict(zip(ids, values, strict=True)) for name, values in zip(METRICS, torch.cat(tables, 1).tolist(), strict=True)
    }


def distances(latents: list[np.ndarray], pictures: list[list[Image.Image]], device: str) -> torch.Tensor:
    """(4, N) by `METRICS`, of latents (N, C, h, w) and images of one folder and the other."""
    pixels = [np.stack([np.asarray(image) for image in images]) for images in pictures]
    values = (
        latent_mse.per_image(*latents),
        stlpips_alex.distance(*pictures, device=device),
        psnr.per_image(*pixels),
        ssim.per_image(*pixels),
    )
    return torch.from_numpy(np.stack(values).astype(np.float64))


def folder_ids(folder: Path) -> list[str]:
    return pd.read_parquet(folder / "manifest.parquet")["prompt_id"].tolist()


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--samples", type=Path, nargs="+", required=True, help="one folder a seed")
    parser.add_argument("--own", type=Path, nargs="+", required=True, help="uncached twins by the same weights")
    parser.add_argument("--base", type=Path, nargs="+", required=True, help="uncached twins by the base model")
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--code", default="", help="hash of the code: partial work of other code is not resumed")
    cli.run(parser, work)
