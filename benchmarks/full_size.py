"""The whole DAG on networks of full size with random weights: minutes and peak memory of each step, beside what was predicted.

python -m benchmarks.full_size --backbones sd15                    # weights in full size: 18 GiB, alone on the machine
python -m benchmarks.full_size --backbones sd21 sd15-inpaint sd2-depth animatediff --width 64

A pipeline folder with the published configurations (64 px, `--width` channels in the first block instead of 320) is written to a
temporary folder; the DAG runs there, in a copy of the checkout, by config/paper.yaml and config/full_size.yaml up to the table.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import psutil
import yaml
from snakemake.utils import update_config

from benchmarks.job_times import by_rule, usages
from fcr_core.backbones import published_configs as published
from fcr_core.backbones.registry import BACKBONES, Backbone
from fcr_core.backbones.tasks import FRAMES
from fcr_core.experiment.experiment import experiments_of
from fcr_core.experiment.recipe import Recipe
from fcr_core.planning.peak_memory import Networks, finetune_memory, loading_memory, sampling_memory
from fcr_core.sampling.samples import LAUNCH
from tests.random_pipelines import write_motion_adapter, write_pipeline

CONFIGS = ["config/paper.yaml", "config/full_size.yaml"]
FULL_WIDTH = 320
# What the libraries of a job take beside tensors.
LIBRARIES = 1.0e9
GIB = 2**30


def networks_of(backbone: Backbone, width: int) -> dict[str, dict]:
    """The published configurations at 64 px, all widths in proportion."""
    unet = published.UNETS[str(backbone.networks)] | {"sample_size": 8}
    if "addition_embed_type" in unet:
        raise ValueError(f"{backbone.name} has two text encoders, which are not built here: choose another backbone")
    unet["block_out_channels"] = channels = tuple(width * c // FULL_WIDTH for c in (320, 640, 1280, 1280))
    if isinstance(unet["attention_head_dim"], tuple):  # in spite of its name the number of heads, of 64 channels each
        unet["attention_head_dim"] = tuple(c // 64 for c in channels)
    vae = published.VAE | {"block_out_channels": tuple(width * c // FULL_WIDTH // 32 * 32 or 32 for c in (128, 256, 512, 512))}
    return {"unet": unet, "vae": vae, "text": published.TEXT_ENCODERS[unet["cross_attention_dim"]]}


def write_backbone(backbone: Backbone, width: int, folder: Path) -> dict[str, str]:
    """The pipeline folder, float16 on disk; returns the keys of the backbone's entry that name it."""
    half = width == FULL_WIDTH
    write_pipeline(folder / "pipeline", **networks_of(backbone, width), prediction=backbone.objective, half=half)
    keys = {"source": str(folder / "pipeline")}
    if backbone.task == "video":
        channels = networks_of(backbone, width)["unet"]["block_out_channels"]
        write_motion_adapter(folder / "motion", published.MOTION_ADAPTER | {"block_out_channels": channels})
        keys["adapter"] = str(folder / "motion")
    return keys


def run_dag(checkout: Path, more: dict) -> pd.DataFrame:
    """Run the DAG to the table; returns jobs, minutes and peak memory of each rule."""
    (checkout / "config" / "here.yaml").write_text(yaml.safe_dump(more))
    command = ["snakemake", "--cores", "2", "--configfile", *CONFIGS, "config/here.yaml", "--", "results/exp1_table.csv"]
    ran = subprocess.run(command, cwd=checkout, capture_output=True, text=True)
    if ran.returncode:
        sys.exit(ran.stderr[ran.stderr.rfind("Error in rule") :])
    table = by_rule(list(usages(checkout / "logs")))[["jobs", "minutes", "peak_mb"]]
    return table.assign(GiB=table.pop("peak_mb") / 2**10)


def predictions(backbone: Backbone, keys: dict[str, str], settings: dict) -> dict[str, float]:
    """GiB of a fine-tune of all weights and of the sampler with the longest groups; a validated one holds the pipeline too."""
    networks = Networks(backbone.location(keys["source"], adapter=keys.get("adapter")), backbone.networks)
    sampling, finetune = settings["sampling"], settings["finetune"]
    keys_of_memory = ("batch", "accumulate", "precision", "gradient_checkpointing")
    frames = FRAMES if backbone.task == "video" else 1
    plans = [row.cell.sampler.plan for row in experiments_of(settings)["exp1"].rows]
    plan = max((plan for plan in plans if plan), key=lambda plan: plan.keys.stride or 0)
    drawn = sampling_memory(networks, plan, sampling["steps"], max(1, LAUNCH // frames))
    trained = finetune_memory(networks, Recipe(lam=0.1), **{key: finetune[key] for key in keys_of_memory})
    found = {
        "sample": max(drawn.total, loading_memory(networks).total),
        "finetune": trained.total,
        "finetune_validated": trained.total + drawn.held - trained.held,
    }
    return {step: (total + LIBRARIES) / GIB for step, total in found.items()}


def report(name: str, width: int, threads: int) -> None:
    backbone = BACKBONES[name]
    with tempfile.TemporaryDirectory(prefix="full_size_") as temporary:
        folder = Path(temporary)
        subprocess.run(["git", "checkout-index", "-a", f"--prefix={folder}/checkout/"], check=True)
        keys = write_backbone(backbone, width, folder)
        # Trajectories, and so the mini-validation, are for text-to-image.
        entry = {name: {"train": "twemoji", "search": "twemoji", "size": 64} | keys}
        more: dict = {"threads": threads, "backbones": entry, "experiments": {"exp1": {"backbones": [name]}}}
        if backbone.task != "text2image":
            more["finetune"] = {"validate_every": 0}
        settings: dict = {}
        for file in ("config.yaml", *CONFIGS):
            update_config(settings, yaml.safe_load(Path(file).read_text()))
        update_config(settings, more)
        predicted = predictions(backbone, keys, settings)
        need, free = max(predicted.values()), psutil.virtual_memory().available / GIB
        if need + 1 > free:
            sys.exit(f"{name}: a fine-tune will need {need:.1f} GiB and {free:.1f} are free: stop other work, or give --width")
        started = time.monotonic()
        table = run_dag(folder / "checkout", more)
        minutes = (time.monotonic() - started) / 60
        table["predicted GiB"] = table.index.map(predicted)
        table["predicted / measured"] = table["predicted GiB"] / table["GiB"]
        print(f"\n{name}, first block {width} channels: {minutes:.1f} minutes, at most {table['GiB'].max():.1f} GiB\n")
        print(table.round(2).to_markdown())
        print(pd.read_csv(folder / "checkout" / "results" / "exp1_table.csv").iloc[:, :6].to_markdown(index=False), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    named = [name for name, backbone in BACKBONES.items() if backbone.networks]
    parser.add_argument("--backbones", nargs="+", choices=named, default=["sd15"])
    parser.add_argument("--width", type=int, default=FULL_WIDTH, help="channels of the first block, a multiple of 64")
    parser.add_argument("--threads", type=int, default=2, help="of a job; 1 where other work shares the cores")
    args = parser.parse_args()
    for name in args.backbones:
        report(name, args.width, args.threads)


if __name__ == "__main__":
    main()
