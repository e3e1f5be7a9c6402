"""The `snakemake` command of the project's environment: Snakemake itself, with four annoyances taken away.

1. `snakemake --cores 1 --resources gpu=1 results/exp1_table.csv` works. Snakemake's parser takes a target right after a list of
   NAME=VALUE resources for one more resource and dies on it; here such targets are put behind a `--`. Everything else is passed
   through untouched.
2. The lock of a Snakemake that was killed is cleared; the lock of a live one is respected. A lock is stale when it was made on
   this host and no Snakemake is at work in the folder any more. (Jobs that a killed Snakemake left behind do not count: the
   scripts see to it that two of them never write the same output.)
3. A SLURM job that someone cancelled has failed and is submitted again. sacct calls it `CANCELLED by 1000`, which the SLURM
   plugin (2.8.0) takes for a job that still runs: it would wait for ever.
4. A configuration file that cannot be read, a mistyped `--config`, or a file where a folder should be ends in one line that names
   it, not in a traceback.

`make setup` installs it over the script that pip made, behind two lines that start it by a shell: the path of a Python in a first
line (`#!`) may hold no blank and not more than 127 letters. Any other Snakemake works as well: put `--` before the targets.
"""

import importlib.util
import os
import re
import shutil
import socket
import sys
from pathlib import Path

# Read by its place: an import would take the modules of the project that are installed, and not those of this folder.
READER = Path("fcr_core/experiment/config_files.py")
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


def read_strictly() -> None:
    """Let Snakemake read configuration files as the project does, and say what is wrong in one line."""
    import snakemake.cli
    import snakemake.common.configfile
    import snakemake.settings.types

    spec = importlib.util.spec_from_file_location("strict_config_files", READER)
    strict = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(strict)
    load, parse = snakemake.common.configfile.load_configfile, snakemake.cli.parse_config

    def load_checked(file):
        try:
            strict.read_config_file(Path(file))
        except ValueError as error:
            sys.exit(f"snakemake: {error}")
        return load(file)

    def parse_checked(entries):
        try:
            return parse(entries)
        except ValueError as error:
            said = f"snakemake: --config {' '.join(entries)}: {error}"
            sys.exit(f"{said} It takes whole sections, NAME=VALUE: write what stands inside one into a file, for --configfile.")

    snakemake.common.configfile.load_configfile = snakemake.settings.types.load_configfile = load_checked
    snakemake.cli.parse_config = parse_checked


def shorten_system_errors() -> None:
    """Let Snakemake say an error of the operating system in one line: a full disk, a file where a folder should be."""
    import snakemake.exceptions

    in_full = snakemake.exceptions.format_exception_to_string

    def in_one_line(error, linemaps=None):
        if isinstance(error, OSError) and error.filename:
            return f"{error.filename}: {error.strerror}: it cannot be written, look at the folders that it lies in"
        return in_full(error, linemaps)

    snakemake.exceptions.format_exception_to_string = in_one_line


def enter_environment() -> None:
    """Start anew by the Python that this one is a link to, if only that one has Snakemake.

    Python finds the packages of an environment beside the path that it is called by.
    """
    python = Path(sys.executable)
    if importlib.util.find_spec("snakemake") is None and python.is_symlink():
        target = str(python.parent / python.readlink())
        os.execv(target, [target, *sys.argv])


def main() -> None:
    enter_environment()
    from snakemake.cli import main as snakemake

    end_cancelled_jobs()
    shorten_system_errors()
    if READER.exists():
        read_strictly()
    try:
        clear_stale_lock(Path.cwd())
    except OSError as error:
        sys.exit(f"snakemake: {error.filename}: {error.strerror}: Snakemake keeps its own files there")
    sys.argv = ["snakemake", *with_separator(sys.argv[1:])]
    snakemake()


if __name__ == "__main__":
    main()
