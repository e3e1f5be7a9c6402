"""A fine-tune in two real processes takes the steps of one process: they share out the batches of a step."""

import subprocess
import sys

import torch
from safetensors.torch import load_file

from fcr_core.denoising import TrainingSet

from .workspace import ROOT

OPTIONS = ["--pipeline=models/pocket", '--recipe={"lam": 1}', "--steps=2", "--batch=2", "--lr=1e-4", "--seed=0"]
LAUNCH = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


def finetune(launch: list[str], train_set, out, *more: str) -> dict[str, torch.Tensor]:
    command = [sys.executable, *launch, "-m", "workflow_scripts.finetune", *OPTIONS, f"--train-set={train_set}", f"--out={out}"]
    done = subprocess.run([*command, *more], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return load_file(out / "unet" / "diffusion_pytorch_model.safetensors")


def test_two_processes_share_out_two_accumulated_batches(tmp_path):
    generator = torch.Generator().manual_seed(0)
    latents, texts = torch.randn(6, 4, 16, 16, generator=generator), torch.randn(6, 5, 384, generator=generator)
    TrainingSet(latents, texts, torch.zeros(1, 5, 384), list("abcdef")).save(tmp_path / "set.safetensors")
    one = finetune([], tmp_path / "set.safetensors", tmp_path / "one" / "seed0", "--accumulate=2")
    two = finetune(LAUNCH, tmp_path / "set.safetensors", tmp_path / "two" / "seed0", "--accumulate=2")
    other = finetune([], tmp_path / "set.safetensors", tmp_path / "other" / "seed0")
    # Adam makes a whole step of a gradient that is rounding alone, so single weights may differ; those are few.
    gap, control = (sum((weights[key] - one[key]).abs().sum().item() for key in one) for weights in (two, other))
    assert gap < 0.02 * control
