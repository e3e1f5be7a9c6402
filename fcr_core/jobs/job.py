"""Tools that every job uses around its work: one writer at a time, partial work that is safe to resume, a record of the run."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from fcr_core.jobs.files import write_json

log = logging.getLogger(__name__)
PACKAGES = ("torch", "diffusers", "transformers", "numpy")


@contextmanager
def sole_writer(output: Path) -> Iterator[None]:
    """Wait until no other process writes `output`, and keep others out inside the block.

    When Snakemake is killed, its jobs live on as orphans. A new run starts another job for the same output. That job waits here
    for the orphan to end, instead of writing the same files at the same time. The kernel drops the lock when its process ends.
    """
    lock = output.parent / f".{output.name}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning("another process still writes %s: waiting for it to end", output)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def partial_work(output: Path, settings: dict[str, Any]) -> Path:
    """Return the folder of unfinished work for `output`. Work that was left there under other settings is removed first."""
    folder = output.parent / f".{output.name}.partial"
    mark, wanted = folder / "settings.json", json.dumps(settings, sort_keys=True, default=str)
    if folder.exists() and not (mark.exists() and json.loads(mark.read_text()) == json.loads(wanted)):
        log.warning("unfinished work in %s has other settings: starting anew", folder)
        shutil.rmtree(folder)
    if not mark.exists():
        write_json(mark, json.loads(wanted))
    return folder


def finished_by_another(output: Path, declared: str, settings: dict[str, Any]) -> bool:
    """Return True if `output` already holds the result of these settings.

    Snakemake deletes the file that a rule declares before it starts the job. If `declared` is there all the same, an orphan of an
    earlier run has finished while this job waited for it.
    """
    record = output / "run.json"
    if not ((output / declared).exists() and record.exists()):
        return False
    return json.loads(record.read_text())["settings"] == as_text(settings)


def as_text(settings: dict[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in settings.items()}


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of one file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def git_commit() -> str:
    """Return the commit of the working tree, with `-dirty` if it has changes. Return `unknown` outside a repository."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return described.stdout.strip() or "unknown"


def device_used() -> str:
    """Return the name of the GPU if this process has computed on one. Otherwise return the name of the CPU, or its kind."""
    torch = sys.modules.get("torch")
    if torch and torch.cuda.is_initialized():
        return torch.cuda.get_device_name()
    cpus = Path("/proc/cpuinfo")
    named = re.search(r"^model name\s*: (.+)$", cpus.read_text() if cpus.exists() else "", re.MULTILINE)
    return named[1] if named else platform.processor() or platform.machine()


def run_record(settings: dict[str, Any], started: float) -> dict[str, Any]:
    """Return the content of `run.json`: settings, versions, machine, device, commit, and wall time in seconds since `started`.

    `started` comes from `time.time()`.
    """
    return {
        "settings": as_text(settings),
        "packages": {package: metadata.version(package) for package in PACKAGES},
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "device": device_used(),
        "commit": git_commit(),
        "wall_seconds": round(time.time() - started, 2),
    }
