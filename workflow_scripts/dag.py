"""The DAG of targets, built inside this process and not run: the only file that uses Snakemake's Python interface."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snakemake.api import SnakemakeApi
from snakemake.exceptions import WorkflowError
from snakemake.settings.types import (
    ConfigSettings,
    DAGSettings,
    OutputSettings,
    Quietness,
    ResourceSettings,
    StorageSettings,
    WorkflowSettings,
)
from snakemake.utils import update_config
from snakemake_interface_executor_plugins.settings import ExecMode

from fcr_core.experiment.config_files import read_config_file

SNAKEFILE, CONFIG = Path("Snakefile"), Path("config.yaml")
# As a job's own Snakemake does it: inputs that no rule makes are taken for granted, so a laptop can plan what only a cluster has.
TRUSTING = WorkflowSettings(exec_mode=ExecMode.SUBPROCESS)


@dataclass(frozen=True)
class Dag:
    """The DAG as if nothing had run yet. What checkpoints decide later is not in it.

    Args:
        jobs: Snakemake's jobs.
        needs: for each job the jobs before it, as indices into `jobs`.
        names: what the Snakefile defines.
        missing: inputs that no rule makes and that are not here.
    """

    jobs: list[Any]
    needs: list[tuple[int, ...]]
    names: dict[str, Any]
    missing: list[str]


def configuration(configs: list[str]) -> dict[str, Any]:
    """Read config.yaml with `configs` on top, as Snakemake does. Raises `ValueError` for a file that is no configuration."""
    config: dict[str, Any] = {}
    for file in (CONFIG, *map(Path, configs)):
        update_config(config, read_config_file(file))
    return config


def build_dag(targets: set[str], configs: list[str]) -> Dag:
    """Build the DAG of targets, files or rules, with `configs` on top of config.yaml. Raises `ValueError` when there is none."""
    settings = ConfigSettings(configfiles=[Path(file) for file in configs])
    with quiet(), SnakemakeApi(OutputSettings(quiet={Quietness.ALL}, dryrun=True)) as api:
        made = api.workflow(
            ResourceSettings(cores=os.cpu_count() or 1), settings, StorageSettings(), TRUSTING, snakefile=SNAKEFILE.resolve()
        )
        workflow = made.dag(DAGSettings(targets=targets, forceall=True)).workflow_api._workflow
        # What `printdag` does but for the printing; the public interface has nothing that only builds.
        try:
            workflow._prepare_dag(forceall=True, ignore_incomplete=True, lock_warn_only=True)
            workflow._build_dag()
        except WorkflowError as error:
            raise ValueError(f"no DAG of {', '.join(sorted(targets))}: {error}") from error
        jobs = list(workflow.dag.jobs)
        place = {job: i for i, job in enumerate(jobs)}
        needs = [tuple(place[need] for need in workflow.dag.dependencies[job]) for job in jobs]
        made_here = {str(file) for job in jobs for file in job.output}
        inputs = {str(file) for job in jobs for file in job.input}
        missing = sorted(file for file in inputs - made_here if not Path(file).exists())
        return Dag(jobs, needs, dict(workflow.globals), missing)


@contextmanager
def quiet() -> Iterator[None]:
    """Snakemake talks of configuration files and of building on stderr, however quiet it is told to be."""
    with Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
        yield
