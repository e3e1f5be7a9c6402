"""Snakemake's messages, sorted into what is shown and what is not."""

from __future__ import annotations

import os
import sys
import time
from logging import LogRecord
from typing import TextIO

from snakemake.logging import ColorizingTextHandler, DefaultFormatter
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_fcr.job_logs import last_lines, tail
from snakemake_logger_plugin_fcr.live import LiveLines
from snakemake_logger_plugin_fcr.run import Job, Run, duration

# Of a failed job's log; the log itself has all.
SHOWN_LINES = 15
# What Snakemake 9 says of itself at every run, by how it begins.
ROUTINE = (
    "Assuming unrestricted shared filesystem", "Building DAG of jobs", "Complete log(s)", "Conda environments: ignored",
    "Config file ", "DAG of jobs will be updated", "Execute ", "Exiting because a job execution failed", "Finished jobid",
    "Group jobs: inactive", "Job counts",
    "Provided ", "Rules claiming more threads", "Select jobs to execute", "Singularity containers: ignored",
    "Storing output in storage", "Updating checkpoint dependencies", "Using shell", "Waiting at most", "host: ",
)  # fmt: skip
# Told in other words here.
SILENT = {
    LogEvent.GROUP_INFO, LogEvent.JOB_STARTED, LogEvent.RESOURCES_INFO, LogEvent.RULEGRAPH, LogEvent.WORKFLOW_STARTED,
}  # fmt: skip


class Lines:
    """A run where there is no terminal: a line a job that has ended."""

    def __init__(self, run: Run, stream: TextIO) -> None:
        self.run = run
        self.stream = stream

    def started(self, job: Job) -> None:
        pass

    def ended(self, job: Job, seconds: float) -> None:
        self.say(f"[{self.run.done}/{self.run.total}] {job}: {duration(seconds)}")

    def say(self, text: str) -> None:
        print(text, file=self.stream, flush=True)

    def close(self) -> None:
        pass


class LogHandler(LogHandlerBase):
    """Shows a run on stderr. A dry run, and all of it with `--verbose`, is left to Snakemake's own handler."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = False  # Snakemake's, which knows `--quiet`
    has_formatter = False
    needs_rulegraph = False

    def __post_init__(self) -> None:
        settings = self.common_settings
        stream = sys.stdout if settings.stdout else sys.stderr
        self.own = ColorizingTextHandler(settings.nocolor, stream, DefaultFormatter(settings.quiet, settings.show_failed_logs))
        self.all_to_own = settings.dryrun or settings.verbose or settings.debug_dag
        self.run = Run(started=time.time())
        on_terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
        self.screen = LiveLines(self.run, stream, not settings.nocolor) if on_terminal else Lines(self.run, stream)

    def emit(self, record: LogRecord) -> None:
        try:
            if self.all_to_own:
                self.own.emit(record)
            else:
                self.show(record)
        except Exception:
            self.handleError(record)

    def show(self, record: LogRecord) -> None:
        event, told = getattr(record, "event", None), record.__dict__
        if event == LogEvent.RUN_INFO:
            self.run.plan(told["stats"])
        elif event == LogEvent.JOB_INFO:
            self.start(told)
        elif event == LogEvent.JOB_FINISHED:
            self.finish(told["job_id"], record.created)
        elif event == LogEvent.PROGRESS:
            self.run.done, self.run.total = told["done"], told["total"]
        elif event == LogEvent.JOB_ERROR:
            self.fail(told)
        elif event not in SILENT and not is_routine(record):
            self.screen.say(self.own.format(record))

    def start(self, told: dict) -> None:
        log = told["log"][0] if told["log"] else None
        job = Job(told["rule_name"], dict(told["wildcards"]), log, told["created"])
        self.run.running[told["jobid"]] = job
        self.screen.started(job)

    def finish(self, number: int, now: float) -> None:
        self.run.done += 1
        if ended := self.run.end(number, now):
            job, seconds = ended
            self.run.took[job.rule].append(seconds)
            # One without a log is but a name for others, as `all` is.
            if job.log:
                self.screen.ended(job, seconds)

    def fail(self, told: dict) -> None:
        ended = self.run.end(told["jobid"], told["created"])
        name, log = ended[0] if ended else told["rule_name"], told["log"][0] if told["log"] else None
        self.screen.say(f"FAILED {name}, see {log}:" if log else f"FAILED {name}: {told['shellcmd']}")
        if log and self.common_settings.show_failed_logs:
            for line in last_lines(tail(log), SHOWN_LINES):
                self.screen.say(f"    {line}")

    def close(self) -> None:
        self.screen.close()
        super().close()


def is_routine(record: LogRecord) -> bool:
    """What tells a user nothing: how Snakemake goes about it, and its own words for the end of a job."""
    message = str(record.msg or "")
    failed_command = message.startswith("RuleException:\nCalledProcessError in file")
    return not message.strip() or message.startswith(ROUTINE) or failed_command
