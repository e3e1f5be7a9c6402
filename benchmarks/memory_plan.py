"""Predicted peak memory beside what one process really holds, for a fine-tune and for sampling, on random weights.

python -m benchmarks.memory_plan --backbone sd15 --trains lora unet      # unet: 17 GiB at full width
python -m benchmarks.memory_plan --backbone sd15 --width 192 --trains unet
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

import pandas as pd
import torch

from benchmarks.full_size import FULL_WIDTH, GIB, write_backbone
from fcr_core.backbones.loading import load_pipeline, load_scheduler, load_unet
from fcr_core.backbones.published_configs import TOKENS
from fcr_core.backbones.registry import BACKBONES
from fcr_core.cost.clock import peak_tensor_bytes, process_bytes
from fcr_core.experiment.recipe import Recipe
from fcr_core.experiment.sampler import Sampler
from fcr_core.finetuning.weighted_loss import FineTuneLoss, trained_parts
from fcr_core.planning.peak_memory import Networks, finetune_memory, sampling_memory
from fcr_core.planning.planned_run import counted_plan
from fcr_core.sampling.samples import decode_latents, initial_noise, latent_shape, sample_latents
from fcr_core.training.loop import TrainingRun
from fcr_core.training.training_set import EncodedSet

STEPS, STRIDE = 6, 6


def sampling(networks: Networks, batch: int) -> tuple[int, int]:
    """(predicted, measured) bytes of drawing `batch` images."""
    pipe = load_pipeline(networks.location)
    sampler = Sampler.from_config({"stride": STRIDE}, {"scheduler": "ddim", "steps": STEPS, "guidance": 7.5})
    prompts = ["a cat"] * batch
    noise = initial_noise(list(map(str, range(batch))), 0, latent_shape(pipe))
    runs = (partial(sample_latents, pipe, prompts, noise, sampler), partial(decode_latents, pipe, noise))
    held = sum(p.nbytes for part in (pipe.unet, pipe.vae, pipe.text_encoder) for p in part.parameters())
    return sampling_memory(networks, counted_plan(sampler), STEPS, batch).total, held + max(map(peak_tensor_bytes, runs))


def fine_tune(networks: Networks, batch: int, recipe: Recipe, state: Path) -> tuple[int, int]:
    """(predicted, measured) bytes of two steps; the checkpoint at the end is written to `state`."""
    unet = load_unet(networks.location)
    side, width = unet.config.sample_size, unet.config.cross_attention_dim
    texts = torch.randn(batch, TOKENS, width)
    data = EncodedSet(torch.randn(batch, unet.config.in_channels, side, side), texts, texts[:1], list(map(str, range(batch))))
    parts = trained_parts(unet, recipe)
    loss = FineTuneLoss(unet, load_scheduler(networks.location), data, recipe, batch)
    run = TrainingRun(parts.learning, state, lr=1e-5, seed=0, ema_decay=0.0)
    held = sum(p.nbytes for p in unet.parameters())
    measured = held + peak_tensor_bytes(lambda: run.run(2, loss, 3, "fine-tune"))
    return finetune_memory(networks, recipe, batch).total, measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", choices=[name for name, backbone in BACKBONES.items() if backbone.networks], default="sd15")
    parser.add_argument("--width", type=int, default=FULL_WIDTH, help="channels of the first block, a multiple of 64")
    parser.add_argument("--trains", nargs="*", choices=["unet", "lora"], default=["lora"])
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    backbone, rows = BACKBONES[args.backbone], []
    with tempfile.TemporaryDirectory(prefix="memory_plan_") as temporary:
        keys = write_backbone(backbone, args.width, Path(temporary))
        networks = Networks(backbone.location(**keys), backbone.networks)
        found = {"sampling": partial(sampling, networks, args.batch)}
        for trains in args.trains:
            recipe = Recipe(lam=0.1, trains=trains)
            found[f"fine-tune, {trains}"] = partial(fine_tune, networks, args.batch, recipe, Path(temporary))
        for name, run in found.items():
            predicted, measured = run()
            rows.append((name, predicted / GIB, measured / GIB, predicted / measured, process_bytes() / GIB))
            print(f"{name}: predicted {predicted / GIB:.2f} GiB, measured {measured / GIB:.2f}", flush=True)
    columns = ["step", "predicted GiB", "measured GiB", "predicted / measured", "resident after it, GiB"]
    print(f"{args.backbone}, first block {args.width} channels, batch {args.batch}, 64 px")
    print(pd.DataFrame(rows, columns=columns).round(3).to_markdown(index=False))


if __name__ == "__main__":
    main()
