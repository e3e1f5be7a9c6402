"""The `snakemake` command of the project's environment: Snakemake itself, with three annoyances taken away.

1. `snakemake --cores 1 --resources gpu=1 results/exp1_table.csv` works. Snakemake's parser takes a target right after a list of
   NAME=VALUE resources for one more resource and dies on it; here such targets are put behind a `--`. Everything else is passed
   through untouched.
2. The lock of a Snakemake that was killed is cleared; the lock of a live one is respected. A lock is stale when it was made on
   this host and no Snakemake is at work in the folder any more. (Jobs that a killed Snakemake left behind do not count: the
   scripts see to it that two of them never write the same output.)
3. A SLURM job that someone cancelled has failed and is submitted again. sacct calls it `CANCELLED by 1000`, which the SLURM
   plugin (2.8.0) takes for a job that still runs: it would wait for ever.

`make setup` installs it over the script that pip made. Any other Snakemake works as well: put `--` before the targets.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
from pathlib import Path

RESOURCE = re.compile(r"[A-Za-z_]\w*=\S+")


def with_separator(arguments: list[str]) -> list[str]:
    """The arguments with targets that directly follow `--resources NAME=VALUE ...` behind a `--`, at the end.

    >>> with_separator(["--cores", "1", "--resources", "gpu=1", "results/exp1_table.csv"])
    ['--cores', '1', '--resources', 'gpu=1', '--', 'results/exp1_table.csv']
    >>> with_separator(["--resources", "gpu=1", "--cores", "1", "all"])
    ['--resources', 'gpu=1', '--cores', '1', 'all']
    """
    if "--resources" not in arguments or "--" in arguments:
        return arguments
    start = arguments.index("--resources") + 1
    first = next((i for i in range(start, len(arguments)) if not RESOURCE.fullmatch(arguments[i])), len(arguments))
    last = next((i for i in range(first, len(arguments)) if arguments[i].startswith("-")), len(arguments))
    if first in (start, last):
        return arguments
    return [*arguments[:first], *arguments[last:], "--", *arguments[first:last]]


def clear_stale_lock(folder: Path) -> None:
    """Remove Snakemake's lock files in `folder` if whoever made them is gone; remember this host as the last one."""
    locks, host = folder / ".snakemake" / "locks", folder / ".snakemake" / "last_host"
    made_here = not host.exists() or host.read_text() == socket.gethostname()
    if locks.is_dir() and any(locks.iterdir()) and made_here and not snakemake_at_work(folder):
        shutil.rmtree(locks)
        print(f"cleared the lock of a Snakemake that was killed in {folder}", file=sys.stderr)
    if made_here:
        host.parent.mkdir(exist_ok=True)
        host.write_text(socket.gethostname())


def snakemake_at_work(folder: Path) -> bool:
    """Whether another Snakemake process of this host works in `folder`, or may do so (its folder cannot be read)."""
    import psutil

    for process in psutil.process_iter(["cmdline"]):
        if process.pid == os.getpid() or not is_snakemake(process.info["cmdline"] or []):
            continue
        try:
            if Path(process.cwd()) == folder:
                return True
        except psutil.AccessDenied:
            return True
        except psutil.NoSuchProcess:
            continue
    return False


def is_snakemake(command: list[str]) -> bool:
    """`python .../bin/snakemake ...` or `python -m snakemake ...`."""
    if len(command) < 2 or not Path(command[0]).name.startswith("python"):
        return False
    return Path(command[1]).name == "snakemake" or command[1:3] == ["-m", "snakemake"]


def end_cancelled_jobs() -> None:
    """Let the SLURM plugin see states without who caused them."""
    import snakemake_executor_plugin_slurm as plugin

    query = plugin.query_job_status

    async def query_without_causes(command, logger):
        states, seconds = await query(command, logger)
        return states and {job: state.split()[0] for job, state in states.items()}, seconds

    plugin.query_job_status = query_without_causes


def main() -> None:
    from snakemake.cli import main as snakemake

    end_cancelled_jobs()
    clear_stale_lock(Path.cwd())
    sys.argv = ["snakemake", *with_separator(sys.argv[1:])]
    snakemake()


if __name__ == "__main__":
    main()
