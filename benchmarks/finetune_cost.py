"""What a step of each recipe costs over plain fine-tuning: interleaved rounds in one process, medians of the ratio.

snakemake --cores 2 results/trajectories/pocket/train.safetensors && python benchmarks/finetune_cost.py
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel

from fcr_core.cost.clock import measure_latency
from fcr_core.experiment.recipe import Recipe
from fcr_core.finetuning.weighted_loss import FineTuneLoss, trained_parts
from fcr_core.sampling.trajectories import Trajectories
from fcr_core.training.denoising import denoising_loss
from fcr_core.training.loop import StepLoss, step_generator
from fcr_core.training.training_set import EncodedSet

FELT = {"lam": 1.0, "times": "groups", "distance": "relative"}
RECIPES = {
    "FCR": Recipe(lam=0.1),
    "FCR, stop_grad reuse": Recipe(lam=0.1, stop_grad="reuse"),
    "FCR, stop_grad key": Recipe(lam=0.1, stop_grad="key"),
    "FCR, rollout": Recipe(**FELT, source="rollout"),
    "FCR, preserve": Recipe(**FELT, preserve=10.0),
    "FCR, LoRA": Recipe(**FELT, trains="lora"),
    "decoding, stride 10, two nodes": Recipe(decoding=1.0, nodes=2),
    "reuse decoder, stride 5, cut 2, linear": Recipe(
        denoise=0.0, decoding=1.0, stride=5, cut=2, reuse="linear", trains="decoder"
    ),
    "reuse decoder, stride 10, cut 0, two nodes": Recipe(denoise=0.0, decoding=1.0, nodes=2, trains="decoder"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipeline", default="models/pocket")
    parser.add_argument("--train-set", type=Path, default=Path("results/train_set/pocket/twemoji.safetensors"))
    parser.add_argument("--trajectories", type=Path, default=Path("results/trajectories/pocket/train.safetensors"))
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    data, trajectories = EncodedSet.load(args.train_set), Trajectories.load(args.trajectories)
    scheduler = DDIMScheduler.from_pretrained(args.pipeline, subfolder="scheduler")

    def unet() -> UNet2DConditionModel:
        return UNet2DConditionModel.from_pretrained(args.pipeline, subfolder="unet").train()

    plain = unet()
    runs: dict[str, Callable[[], None]] = {"plain": stepper(plain, denoising_loss(plain, scheduler, data, args.batch))}
    for name, recipe in RECIPES.items():
        made = unet()
        parts = trained_parts(made, recipe)
        loss = FineTuneLoss(made, scheduler, data, recipe, args.batch, trajectories.steps, trajectories, parts.decoder)
        runs[name] = stepper(parts.learning, loss)
    seconds = measure_latency(runs, args.repeats).pivot(index="repeat", columns="sampler", values="seconds")
    ratios = seconds.div(seconds["plain"], axis=0).quantile([0.25, 0.5, 0.75]).T.loc[list(runs)]
    ratios.columns = ["lower quartile", "median", "upper quartile"]
    print(f"batch {args.batch}, {args.threads} threads, {args.repeats} rounds; a plain step: {seconds['plain'].median():.3f} s")
    print(ratios.round(3).rename_axis("times a plain step").to_markdown())


def stepper(model: torch.nn.Module, loss: StepLoss) -> Callable[[], None]:
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return partial(one_step, loss, torch.optim.AdamW(trained, lr=1e-6))


def one_step(loss: StepLoss, optimizer: torch.optim.Optimizer) -> None:
    loss(0, step_generator(0, 0))[0].backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


if __name__ == "__main__":
    main()
