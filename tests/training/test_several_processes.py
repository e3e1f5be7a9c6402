"""A fine-tune in two real processes takes the steps of one process: they share out the batches of a step, and validations."""

import json
import os
import subprocess
import sys

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from fcr_core.sampling.trajectories import Trajectories
from fcr_core.training.training_set import EncodedSet

from ..workspace import ROOT

pytestmark = pytest.mark.slow

OPTIONS = ["--pipeline=models/pocket", '--recipe={"lam": 1}', "--steps=2", "--batch=2", "--lr=1e-4", "--seed=0"]
LAUNCH = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


def finetune(launch: list[str], train_set, out, *more: str, script: str = "finetune") -> dict[str, torch.Tensor]:
    command = [sys.executable, *launch, "-m", f"workflow_scripts.{script}", *OPTIONS, f"--train-set={train_set}", f"--out={out}"]
    done = subprocess.run([*command, *more], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return load_file(out / "unet" / "diffusion_pytorch_model.safetensors")


@pytest.fixture
def train_set(tmp_path):
    generator = torch.Generator().manual_seed(0)
    latents, texts = torch.randn(6, 4, 16, 16, generator=generator), torch.randn(6, 5, 384, generator=generator)
    EncodedSet(latents, texts, torch.zeros(1, 5, 384), list("abcdef")).save(tmp_path / "set.safetensors")
    return tmp_path / "set.safetensors"


def test_two_processes_share_out_two_accumulated_batches(train_set, tmp_path):
    one = finetune([], train_set, tmp_path / "one" / "seed0", "--accumulate=2")
    two = finetune(LAUNCH, train_set, tmp_path / "two" / "seed0", "--accumulate=2")
    other = finetune([], train_set, tmp_path / "other" / "seed0")
    # Adam makes a whole step of a gradient that is rounding alone, so single weights may differ; those are few.
    gap, control = (sum((weights[key] - one[key]).abs().sum().item() for key in one) for weights in (two, other))
    assert gap < 0.02 * control


def test_processes_of_srun_find_each_other(train_set, tmp_path):
    """What Slurm says to the two processes of a job step, here without Slurm; with it: tests/cluster."""
    out = tmp_path / "srun" / "seed0"
    command = [
        sys.executable,
        "-m",
        "workflow_scripts.finetune",
        *OPTIONS,
        f"--train-set={train_set}",
        f"--out={out}",
        "--accumulate=2",
    ]
    step = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_NODELIST": "localhost", "SLURM_JOB_ID": str(os.getpid())}
    ranks = [step | {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)} for rank in range(2)]
    started = [subprocess.Popen(command, cwd=ROOT, env=os.environ | rank) for rank in ranks]
    assert [process.wait(200) for process in started] == [0, 0]
    assert json.loads((out / "run.json").read_text())["settings"]["processes"] == "2"


def test_two_processes_share_out_the_runs_of_a_validation(train_set, tmp_path):
    """Two and one of three: the mean is over runs, not over processes."""
    generator = torch.Generator().manual_seed(1)
    ends, texts = torch.randn(3, 2, 4, 16, 16, generator=generator), torch.randn(3, 24, 384, generator=generator)
    Trajectories(ends, texts, torch.zeros(1, 24, 384), guidance=3.0, steps=10).save(tmp_path / "validation.safetensors")
    options = ["--accumulate=2", f"--validation={tmp_path / 'validation.safetensors'}", "--validate-every=1"]
    for name, launch in (("one", []), ("two", LAUNCH)):
        finetune(launch, train_set, tmp_path / name / "seed0", *options, script="finetune_validated")
    one, two = (pd.read_csv(tmp_path / name / "seed0" / "log.csv")["validation"] for name in ("one", "two"))
    assert len(one) == 2 and one.to_list() == pytest.approx(two.to_list(), rel=1e-3)


def test_processes_stop_together_when_one_of_them_breaks(tmp_path):
    """One picture of two holds NaN: some batch of some process meets it, and all end in one line."""
    latents, texts = torch.zeros(2, 4, 16, 16), torch.zeros(2, 5, 384)
    latents[1] = float("nan")
    EncodedSet(latents, texts, torch.zeros(1, 5, 384), ["a", "b"]).save(tmp_path / "set.safetensors")
    out = tmp_path / "two" / "seed0"
    command = [sys.executable, *LAUNCH, "-m", "workflow_scripts.finetune", *OPTIONS, "--accumulate=2", "--checkpoint-every=1"]
    command += [f"--train-set={tmp_path / 'set.safetensors'}", f"--out={out}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    lines = [line for line in done.stderr.splitlines() if "error: " in line and "is nan at step" in line]
    assert done.returncode and len(lines) == 2 and not out.exists(), done.stderr
