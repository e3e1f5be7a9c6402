"""The most that the partitions of a SLURM cluster give one job: no attempt asks for more than any of them has. No torch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import inf
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Partition:
    """The most that one job may ask of a partition: MB of memory, minutes and GPUs."""

    mem_mb: float = inf
    minutes: float = inf
    gpus: int = 0


def partitions_of(workflow: Any) -> Sequence[Partition]:
    """The partitions that Snakemake's SLURM plugin chooses from; none where there is no SLURM, or no file that lists them."""
    settings = workflow.executor_settings
    if not hasattr(settings, "partition_config"):
        return ()
    file = settings.partition_config or os.environ.get("SNAKEMAKE_SLURM_PARTITIONS")
    return read_partitions(Path(file)) if file else ()


@cache  # each job of a DAG asks
def read_partitions(file: Path) -> tuple[Partition, ...]:
    """Read the plugin's file, as the plugin does. Partitions of other clusters are left out."""
    from snakemake_executor_plugin_slurm.partitions import read_partition_file  # there where SLURM is

    found = [partition.limits for partition in read_partition_file(file) if partition.partition_cluster is None]
    return tuple(Partition(limits.max_mem_mb, limits.max_runtime, limits.max_gpu) for limits in found)


def memory_given(mem_mb: int, gpus: int, partitions: Sequence[Partition]) -> int:
    """MB that a job asks for which would take so much: all of it, or the most that a partition with so many GPUs gives.

    >>> memory_given(8000, 0, [Partition(mem_mb=4000), Partition(mem_mb=6000)])
    6000
    """
    return int(min(mem_mb, max((partition.mem_mb for partition in able(partitions, gpus)), default=mem_mb)))


def minutes_given(minutes: int, mem_mb: int, gpus: int, partitions: Sequence[Partition]) -> int:
    """Minutes that it asks for: all, or the most that a partition gives which has this memory, too.

    Memory comes first, since what has run out of time goes on at the next attempt.

    >>> minutes_given(90, 6000, 0, [Partition(mem_mb=4000, minutes=1440), Partition(mem_mb=6000, minutes=60)])
    60
    """
    fitting = [partition.minutes for partition in able(partitions, gpus) if partition.mem_mb >= mem_mb]
    return int(min(minutes, max(fitting, default=minutes)))


def able(partitions: Sequence[Partition], gpus: int) -> Sequence[Partition]:
    """Those with so many GPUs; if there is none, all."""
    return [partition for partition in partitions if partition.gpus >= gpus] or partitions
