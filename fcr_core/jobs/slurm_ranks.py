"""Processes that `srun` starts as one job step, on any number of nodes, find each other as those of `torchrun` do."""

from __future__ import annotations

import os
import subprocess

# What torch and accelerate read, and where Slurm says it of a process.
NAMES = {"RANK": "SLURM_PROCID", "LOCAL_RANK": "SLURM_LOCALID", "WORLD_SIZE": "SLURM_STEP_NUM_TASKS"}


def adopt_slurm_rank() -> None:
    """Set torch's environment variables in a process of a job step with several; nothing elsewhere.

    The first node of the step is where they meet, at a port of the job's own.
    """
    if int(os.environ.get("SLURM_STEP_NUM_TASKS", 1)) < 2 or "RANK" in os.environ:
        return
    os.environ |= {ours: os.environ[theirs] for ours, theirs in NAMES.items()}
    os.environ["MASTER_ADDR"] = first_node(os.environ["SLURM_STEP_NODELIST"])
    os.environ["MASTER_PORT"] = str(20_000 + int(os.environ["SLURM_JOB_ID"]) % 10_000)


def first_node(names: str) -> str:
    """Of `gpu[03-05,08]` that is `gpu03`; a single name is its own list, for which Slurm need not be asked."""
    if "[" not in names and "," not in names:
        return names
    listed = subprocess.run(["scontrol", "show", "hostnames", names], check=True, capture_output=True, text=True)
    return listed.stdout.split()[0]
