"""The loopback SLURM as the tests see it: its controller, its jobs by the accounting database, and which job holds which GPU."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import psutil

COLUMNS = {
    "JobIDRaw": "id",
    "State": "state",
    "Comment": "name",
    "ReqMem": "memory",
    "Partition": "partition",
    "Start": "start",
    "End": "end",
}


def restart_controller(folder: Path, seconds_down: float) -> None:
    """What `systemctl restart slurmctld` does, slowly."""
    controller = psutil.Process(int((folder / "slurmctld.pid").read_text()))
    controller.terminate()
    controller.wait(30)
    time.sleep(seconds_down)
    subprocess.run(["slurmctld"], check=True)


def has_left(job: str) -> bool:
    """Whether a job no longer holds anything: neither running nor being cleaned up."""
    command = ["squeue", "--noheader", "--states", "running,completing", "--format", "%i"]
    return job not in subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def jobs() -> pd.DataFrame:
    """One row a SLURM job, in the order of submission; `name` is `rule_{rule}...` or `rule_{group}_{rule}`."""
    text = subprocess.run(
        ["sacct", "--allocations", "--parsable2", "--noheader", "--starttime", "now-1days", "--format", ",".join(COLUMNS)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    rows = [line.split("|") for line in text.splitlines()]
    return pd.DataFrame(rows, columns=list(COLUMNS.values()))


def scripts_of(folder: Path) -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    """The processes of workflow scripts that run in `folder` as SLURM jobs, with their environments."""
    for process in psutil.process_iter(["cmdline", "cwd", "environ"]):
        command, environment = " ".join(process.info["cmdline"] or []), process.info["environ"] or {}
        if process.info["cwd"] == str(folder) and "python -m workflow_scripts" in command[:60] and "SLURM_JOB_ID" in environment:
            yield process, environment


def holders_of_gpus(folder: Path) -> dict[str, set[str]]:
    """SLURM job ids by the GPU that the job's script may use, now."""
    holders: dict[str, set[str]] = {}
    for _, environment in scripts_of(folder):
        if gpu := environment.get("CUDA_VISIBLE_DEVICES"):
            holders.setdefault(gpu, set()).add(environment["SLURM_JOB_ID"])
    return holders


def cancel_job_of(folder: Path, argument: str) -> str:
    """Cancel the SLURM job whose script has `argument`; it is frozen first, to be sure that it has not ended yet. Its id."""
    script, environment = next((p, e) for p, e in scripts_of(folder) if argument in p.cmdline())
    script.suspend()
    subprocess.run(["scancel", environment["SLURM_JOB_ID"]], check=True)
    return environment["SLURM_JOB_ID"]
