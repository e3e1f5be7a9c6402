"""Time and memory of a process, as a line of its log, which `benchmarks/job_times.py` and `make plan` read."""

from __future__ import annotations

import os
import re
import resource
import sys
import time
from pathlib import Path
from typing import NamedTuple

import psutil

LINE = re.compile(r"took ([\d.]+) s, CPU ([\d.]+) s \(([\d.]+) s to start\), memory (\d+) MB")
# Of `ru_maxrss`: macOS counts bytes.
UNIT = 2**20 if sys.platform == "darwin" else 2**10


class Usage(NamedTuple):
    """Seconds on the clock and of CPUs, how many of the latter passed before the work began, and the most memory at once.

    >>> usage = Usage(31.214, 58.4, 0.312, 812)
    >>> print(usage)
    took 31.21 s, CPU 58.40 s (0.31 s to start), memory 812 MB
    >>> Usage.read(f"INFO {usage}") == [Usage(31.21, 58.4, 0.31, 812)]
    True
    """

    wall: float
    cpu: float
    start: float
    memory_mb: int

    @classmethod
    def now(cls, start: float = 0.0, children: bool = True) -> Usage:
        """Return the usage of this process until now; `start` is what `cpu_seconds()` was when the work began."""
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT // 2**20
        return cls(time.time() - psutil.Process().create_time(), cpu_seconds(children), start, memory)

    @classmethod
    def read(cls, text: str) -> list[Usage]:
        """Those that a log holds."""
        return [cls(float(wall), float(cpu), float(start), int(memory)) for wall, cpu, start, memory in LINE.findall(text)]

    def __str__(self) -> str:
        return f"took {self.wall:.2f} s, CPU {self.cpu:.2f} s ({self.start:.2f} s to start), memory {self.memory_mb} MB"


def cpu_seconds(children: bool = True) -> float:
    """Return the CPU seconds of this process and, with `children`, of those that it started and that have ended."""
    return sum(os.times()[: 4 if children else 2])


def usage_of_log(log: Path) -> Usage | None:
    """Read the usage of the job that wrote this log; nothing if the job has not come to its end."""
    found = Usage.read(log.read_text(errors="replace")) if log.exists() else []
    return found[-1] if found else None
