"""Reading what jobs write: how far their progress bar is, and their last lines."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

# How much of a log's end is read.
TAIL = 8192
# `sampling seed 0:  40%|████      | 2/5 [00:12<00:18,  6.05s/batch]`, as tqdm writes it.
BAR = re.compile(r"\d+%\|[^|\r\n]*\| ([\d.]+)/([\d.]+) \[[\d:]+<([\d:?]+)")


class Progress(NamedTuple):
    """The share that is done, and the seconds that are left if the job knows."""

    share: float
    left: float | None


def last_progress(text: str) -> Progress | None:
    """
    >>> last_progress("load\\rdraw:  20%|##  | 1/5 [00:03<00:12, 3.0s/it]\\rdraw:  40%|####  | 2/5 [00:06<01:09, 3.0s/it]")
    Progress(share=0.4, left=69.0)
    >>> last_progress("draw:   0%|   | 0/5 [00:00<?, ?it/s]")
    Progress(share=0.0, left=None)
    >>> last_progress("WARNING no bar")
    """
    bars = BAR.findall(text)
    if not bars or float(bars[-1][1]) == 0:
        return None
    done, total, left = bars[-1]
    return Progress(float(done) / float(total), None if "?" in left else seconds(left))


def seconds(clock: str) -> float:
    """
    >>> seconds("1:02:03")
    3723.0
    """
    total = 0.0
    for part in clock.split(":"):
        total = 60 * total + float(part)
    return total


def last_lines(text: str, count: int) -> list[str]:
    """The last lines that are not empty; of what overwrote itself, what stood there last.

    >>> last_lines("one\\n  0%|  |\\r100%|##|\\n\\nerror\\n", 2)
    ['100%|##|', 'error']
    """
    shown = [line.rstrip("\r").rsplit("\r", 1)[-1].rstrip() for line in text.split("\n")]
    return [line for line in shown if line][-count:]


def tail(log: str | None) -> str:
    """The end of a log; nothing of one that is not there (yet)."""
    if log is None or not Path(log).is_file():
        return ""
    with Path(log).open("rb") as file:
        file.seek(max(0, Path(log).stat().st_size - TAIL))
        return file.read().decode(errors="replace")
