"""A run on a terminal: a line for each running job and one for the whole, drawn anew twice a second."""

from __future__ import annotations

import time
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from snakemake_logger_plugin_fcr.job_logs import last_progress, tail
from snakemake_logger_plugin_fcr.run import Job, Run, duration

BAR_WIDTH = 30


class LiveLines:
    """Lines at the bottom of the terminal from the first job to `close`; what is said meanwhile scrolls by above them."""

    def __init__(self, run: Run, stream: TextIO, color: bool) -> None:
        self.run = run
        self.console = Console(file=stream, no_color=not color, highlight=False)
        self.live = Live(console=self.console, get_renderable=self.lines, refresh_per_second=2, transient=True)

    def started(self, job: Job) -> None:
        if not self.live.is_started:
            self.live.start()

    def ended(self, job: Job, seconds: float) -> None:
        pass

    def say(self, text: str) -> None:
        self.console.print(Text(text))

    def close(self) -> None:
        self.live.stop()

    def lines(self) -> Table:
        table, now = Table.grid(padding=(0, 1)), time.time()
        # As many as the terminal has lines for, beside the one for the whole.
        for job in list(self.run.running.values())[: self.console.height - 2]:
            progress = last_progress(tail(job.log))
            elapsed, left = now - job.started, progress and progress.left
            table.add_row(str(job), bar(progress and progress.share), clock(elapsed, left))
        share = self.run.done / self.run.total if self.run.total else None
        whole = Text(f"{self.run.done} of {self.run.total} jobs", style="bold")
        table.add_row(whole, bar(share), clock(now - self.run.started, self.run.seconds_left(now)))
        return table


def bar(share: float | None) -> ProgressBar:
    """One that only moves where the share is not known."""
    return ProgressBar(total=None if share is None else 1.0, completed=share or 0.0, width=BAR_WIDTH)


def clock(elapsed: float, left: float | None) -> str:
    return duration(elapsed) + (f", {duration(left)} left" if left is not None else "")
