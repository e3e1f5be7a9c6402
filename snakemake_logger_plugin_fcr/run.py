"""The jobs of a run: which are running, how long those took that have ended, and how long the others will take."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from statistics import mean


@dataclass(frozen=True)
class Job:
    """`started` is a time as `time.time()` gives it; `log` is none where the rule has no log file."""

    rule: str
    wildcards: dict[str, str]
    log: str | None
    started: float

    def __str__(self) -> str:
        """
        >>> print(Job("sample", {"variation": "FD-10", "seed": "0"}, None, 0))
        sample FD-10 seed 0
        """
        values = [f"{name} {value}" if value.isdigit() else value for name, value in self.wildcards.items() if value]
        return " ".join([self.rule, *values])


@dataclass
class Run:
    """What Snakemake has told so far. `planned`: jobs by rule, known once it has made its plan; `total` grows at checkpoints."""

    started: float
    planned: Counter[str] = field(default_factory=Counter)
    total: int = 0
    done: int = 0
    running: dict[int, Job] = field(default_factory=dict)
    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def plan(self, stats: dict[str, int]) -> None:
        self.planned = Counter({rule: count for rule, count in stats.items() if rule != "total"})
        self.total = stats["total"]

    def end(self, number: int, now: float) -> tuple[Job, float] | None:
        """The job and its seconds; nothing if its start was not told."""
        job = self.running.pop(number, None)
        return (job, now - job.started) if job else None

    def seconds_left(self, now: float) -> float | None:
        """Seconds of the jobs to come, each as long as others of its rule were, at as many at a time as there were so far.

        >>> run = Run(started=0, planned=Counter(sample=3, table=1), total=4, done=2, took={"sample": [10.0, 10.0]})
        >>> run.running[1] = Job("sample", {}, None, started=10)
        >>> run.seconds_left(now=14)  # 6 s of the sample and 10 s of the table, 24 s of work in 14 s so far
        9.333333333333334
        """
        ended = [seconds for rule in self.took.values() for seconds in rule]
        so_far = sum(ended) + sum(now - job.started for job in self.running.values())
        if not ended or so_far <= 0:
            return None
        usual = defaultdict(lambda: mean(ended), {rule: mean(took) for rule, took in self.took.items()})
        begun = Counter(job.rule for job in self.running.values())
        begun.update({rule: len(took) for rule, took in self.took.items()})
        work = sum(usual[rule] * count for rule, count in (self.planned - begun).items())
        work += sum(max(0.0, usual[job.rule] - (now - job.started)) for job in self.running.values())
        return work * (now - self.started) / so_far


def duration(seconds: float) -> str:
    """
    >>> duration(31.4), duration(250), duration(7300)
    ('31 s', '4 min 10 s', '2 h 01 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
