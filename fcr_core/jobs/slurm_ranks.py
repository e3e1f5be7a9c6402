"""Let the processes of one `srun` job step, on any number of nodes, find each other as those of `torchrun` do."""

from __future__ import annotations

import os
import subprocess

# The variables that torch and accelerate read, and Slurm's variables with the same values.
NAMES = {"RANK": "SLURM_PROCID", "LOCAL_RANK": "SLURM_LOCALID", "WORLD_SIZE": "SLURM_STEP_NUM_TASKS"}


def adopt_slurm_rank() -> None:
    """Set torch's environment variables if this process belongs to a job step with several processes. Else do nothing.

    The processes meet at the first node of the step, at a port that depends on the job's number.
    """
    if int(os.environ.get("SLURM_STEP_NUM_TASKS", 1)) < 2 or "RANK" in os.environ:
        return
    os.environ |= {ours: os.environ[theirs] for ours, theirs in NAMES.items()}
    os.environ["MASTER_ADDR"] = first_node(os.environ["SLURM_STEP_NODELIST"])
    os.environ["MASTER_PORT"] = str(20_000 + int(os.environ["SLURM_JOB_ID"]) % 10_000)


def first_node(names: str) -> str:
    """Return the first node of a Slurm list: `gpu03` for `gpu[03-05,08]`.

    A single name is its own list, so Slurm is not asked for it.
    """
    if "[" not in names and "," not in names:
        return names
    listed = subprocess.run(["scontrol", "show", "hostnames", names], check=True, capture_output=True, text=True)
    return listed.stdout.split()[0]
