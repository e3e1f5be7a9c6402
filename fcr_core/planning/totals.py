"""Hours, money, disk and critical path of jobs whose costs are known, at given rates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

from fcr_core.planning.job_costs import JobCost


@dataclass(frozen=True)
class Rates:
    """Sustained speeds (TFLOP/s by precision), prices (USD an hour) and memory of a `cuda` device and of a CPU thread."""

    cuda: dict[str, Any]
    cpu: dict[str, Any]
    start_seconds: float
    euros_a_dollar: float

    @classmethod
    def read(cls, file: Path) -> Rates:
        """Raises `ValueError` when a rate is missing or unknown."""
        try:
            return cls(**yaml.safe_load(file.read_text()))
        except TypeError as error:
            raise ValueError(f"{file}: {str(error).split('() ')[-1]}") from None

    def hours(self, cost: JobCost, on_cuda: bool, threads: int = 1) -> float:
        """Of one job; a CPU's threads share its FLOPs, not its other seconds."""
        speeds, workers = (self.cuda["tflops"], 1) if on_cuda else (self.cpu["tflops"], threads)
        computing = sum(flops / (workers * speeds[precision] * 1e12) for precision, flops in cost.flops.items())
        return (self.start_seconds + cost.seconds + computing) / 3600


@dataclass(frozen=True)
class PlannedJob:
    """`needs` are indices into the list of all jobs. `holds_gpu`: a GPU is reserved; `on_cuda`: the job computes on it."""

    rule: str
    label: str
    cost: JobCost
    hours: float
    needs: tuple[int, ...] = ()
    holds_gpu: bool = False
    on_cuda: bool = False


def critical_path(jobs: Sequence[PlannedJob]) -> list[int]:
    """Indices of the longest chain of jobs by hours, first to last: no number of machines is faster."""
    ends: dict[int, float] = {}
    before: dict[int, int | None] = {}
    for i in TopologicalSorter({i: job.needs for i, job in enumerate(jobs)}).static_order():
        before[i] = max(jobs[i].needs, key=ends.__getitem__, default=None)
        ends[i] = jobs[i].hours + (0 if before[i] is None else ends[before[i]])  # type: ignore[index]
    last, path = max(ends, key=ends.__getitem__, default=None), []
    while last is not None:
        path.append(last)
        last = before[last]
    return path[::-1]


@dataclass(frozen=True)
class Totals:
    """Of one experiment: jobs, hours on GPUs and on CPUs, least wall time with `gpus` of them, and bytes by kind.

    `scratch`: the largest jobs' own, as many as run at once.
    """

    jobs: int
    gpu_hours: float
    cpu_hours: float
    wall_hours: float
    written: dict[str, float]
    scratch: float

    def dollars(self, rates: Rates) -> float:
        return self.gpu_hours * rates.cuda["price"] + self.cpu_hours * rates.cpu["price"]


def totals(jobs: Sequence[PlannedJob], at_once: int) -> Totals:
    """With `at_once` GPUs, or so many CPU jobs at a time where nothing holds a GPU."""
    gpu = sum(job.hours for job in jobs if job.holds_gpu)
    cpu = sum(job.hours for job in jobs if not job.holds_gpu)
    longest = sum(jobs[i].hours for i in critical_path(jobs))
    written: Counter[str] = Counter()
    for job in jobs:
        written.update(job.cost.written)  # type: ignore[arg-type]
    scratch = sum(sorted((job.cost.scratch for job in jobs), reverse=True)[:at_once])
    return Totals(len(jobs), gpu, cpu, max(longest, (gpu or cpu) / at_once), dict(written), scratch)
