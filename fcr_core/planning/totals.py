"""Hours, money, disk and critical path of jobs whose costs are known, at given rates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from fcr_core.planning.job_costs import JobCost
from fcr_core.planning.rates import Rates


@dataclass(frozen=True)
class PlannedJob:
    """One job of the DAG.

    Args:
        rule: its rule.
        label: rule and wildcards, for people.
        cost: its work.
        hours: its planned time.
        needs: indices of the jobs before it in the list of all.
        holds_gpu: a GPU is reserved for it.
        on_cuda: it computes on the GPU.
    """

    rule: str
    label: str
    cost: JobCost
    hours: float
    needs: tuple[int, ...] = ()
    holds_gpu: bool = False
    on_cuda: bool = False


def critical_path(jobs: Sequence[PlannedJob]) -> list[int]:
    """Find the longest chain of jobs by hours, as indices: no number of machines is faster."""
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
    """Sums over jobs.

    Args:
        jobs: their number.
        gpu_hours: hours that GPUs are held.
        cpu_hours: hours of the other jobs.
        wall_hours: least time from start to end.
        written: bytes by kind.
        scratch: bytes of the largest jobs' own, as many as run at once.
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
    """Add up jobs that run on `at_once` GPUs, or so many CPU jobs at a time where nothing holds a GPU."""
    gpu = sum(job.hours for job in jobs if job.holds_gpu)
    cpu = sum(job.hours for job in jobs if not job.holds_gpu)
    longest = sum(jobs[i].hours for i in critical_path(jobs))
    written: Counter[str] = Counter()
    for job in jobs:
        written.update(job.cost.written)  # type: ignore[arg-type]
    scratch = sum(sorted((job.cost.scratch for job in jobs), reverse=True)[:at_once])
    return Totals(len(jobs), gpu, cpu, max(longest, (gpu or cpu) / at_once), dict(written), scratch)
