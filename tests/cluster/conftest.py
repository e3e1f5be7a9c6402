"""One local run of the smoke DAG, and one on the loopback SLURM in which a job is cancelled, one exceeds its memory and the
controller restarts; the tests look at what is left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest

from ..workspace import Workspace
from . import slurm
from .services import service

FINETUNE = Path("results/finetune/pocket/twemoji/lambda0.10/seed0")
SECONDS_DOWN = 15


def smoke_workspace(folder: Path) -> Workspace:
    """The smoke configuration, with fine-tunes long enough to be interrupted behind a checkpoint."""
    workspace = Workspace.create(folder)
    config = workspace.read_config()
    config["finetune"]["steps"] = 12
    workspace.write_config(config)
    return workspace


def run_to_the_end(workspace: Workspace, command: str) -> None:
    result = workspace.bash(command)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]


@pytest.fixture(scope="session")
def local(tmp_path_factory) -> Workspace:
    """The smoke DAG run on this machine."""
    workspace = smoke_workspace(tmp_path_factory.mktemp("local") / "fcr")
    run_to_the_end(workspace, "snakemake --cores 2")
    return workspace


@dataclass
class ClusterRun:
    """A run through profiles/slurm, and what was seen while it went on."""

    workspace: Workspace
    slurm_folder: Path
    gpu_holders: list[dict[str, set[str]]] = field(default_factory=list)
    cancelled: str = ""
    controller_back: float = 0.0
    jobs: pd.DataFrame = field(default_factory=pd.DataFrame)

    def go(self) -> None:
        running = self.workspace.start("snakemake --profile profiles/slurm --profile tests/cluster/loopback")
        try:
            while running.poll() is None:
                self.look_and_disturb()
                time.sleep(0.1)
        finally:
            running.kill()
        self.jobs = slurm.jobs()
        assert running.returncode == 0, self.log()[-5000:]

    def look_and_disturb(self) -> None:
        self.gpu_holders.append(slurm.holders_of_gpus(self.workspace.folder))
        if not self.cancelled:
            self.cancel_after_checkpoint()
        # Slurm 22.05 never frees the GPU of a job that is being cleaned up when the controller goes.
        elif not self.controller_back and self.gpu_holders[-1] and slurm.has_left(self.cancelled):
            slurm.restart_controller(self.slurm_folder, SECONDS_DOWN)
            self.controller_back = time.time()

    def cancel_after_checkpoint(self) -> None:
        folder = self.workspace.folder / FINETUNE
        if folder.with_name(f".{folder.name}.partial").joinpath("checkpoint.pt").exists():
            self.cancelled = slurm.cancel_job_of(self.workspace.folder, str(FINETUNE))

    def log(self) -> str:
        return max((self.workspace.folder / ".snakemake" / "log").iterdir()).read_text()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory) -> Iterator[ClusterRun]:
    with service("slurm", tmp_path_factory.mktemp("slurm") / "state") as folder:
        run = ClusterRun(smoke_workspace(tmp_path_factory.mktemp("cluster") / "fcr"), folder)
        run.go()
        yield run
