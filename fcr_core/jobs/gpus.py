"""Give each job its own GPUs on a machine with several."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path


def visible_gpus() -> list[str]:
    """Return the ids of the GPUs that this process may use: those in CUDA_VISIBLE_DEVICES, or else all GPUs of the machine."""
    if (named := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return named.split(",")
    import torch  # takes seconds, which are saved if CUDA_VISIBLE_DEVICES names the GPUs

    return [str(index) for index in range(torch.cuda.device_count())]


@contextmanager
def held_gpus(count: int = 1) -> Iterator[None]:
    """Hold `count` of the visible GPUs and put only these into CUDA_VISIBLE_DEVICES. Wait while other processes hold too many.

    A waiting process holds none. Snakemake counts GPUs (`--resources gpu=2`) but assigns none to a job. One lock file for each
    GPU does that. The kernel drops the lock when the process ends, also for an orphan of a killed Snakemake. If no more than
    `count` GPUs are visible, there is nothing to choose; SLURM and Kubernetes see to that. Enter this block before CUDA starts.
    """
    gpus = visible_gpus()
    if len(gpus) <= count:
        yield
        return
    with ExitStack() as stack:
        while not (taken := _taken(gpus, count, stack)):
            time.sleep(0.1)
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(taken)
        yield


def _taken(gpus: list[str], count: int, stack: ExitStack) -> list[str]:
    """Return the first `count` GPUs that no other process holds, locked until `stack` closes. Return none if there are fewer."""
    with ExitStack() as attempt:
        free = list(islice((gpu for gpu in gpus if _locked(gpu, attempt)), count))
        if len(free) < count:
            return []
        stack.push(attempt.pop_all())
        return free


def _locked(gpu: str, stack: ExitStack) -> bool:
    """Lock the GPU until `stack` closes. Return False if another process has locked it."""
    file = (Path(tempfile.gettempdir()) / f"fcr-gpu-{os.getuid()}-{gpu}.lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    # A command that replaces this process (exec) keeps the lock.
    os.set_inheritable(file.fileno(), True)
    stack.enter_context(file)
    return True
