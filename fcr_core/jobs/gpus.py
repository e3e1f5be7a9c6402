"""GPUs of its own for each job, on a machine with several."""

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
    """Ids of the GPUs that this process may use: those of CUDA_VISIBLE_DEVICES, else all of the machine."""
    if (named := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return named.split(",")
    import torch  # seconds that those whose GPUs are named need not wait

    return [str(index) for index in range(torch.cuda.device_count())]


@contextmanager
def held_gpus(count: int = 1) -> Iterator[None]:
    """Hold `count` of the visible GPUs, as the only ones of CUDA_VISIBLE_DEVICES; wait, with none, while others hold too many.

    Snakemake counts GPUs (`--resources gpu=2`) but gives none to a job. A lock file a GPU does; the kernel drops it with the
    process, also with an orphan of a killed Snakemake. Where no more than `count` are visible, which is what SLURM and Kubernetes
    see to, there is nothing to choose. Must be entered before CUDA starts.
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
    """The first `count` that no other process holds, locked until `stack` closes; none if there are fewer."""
    with ExitStack() as attempt:
        free = list(islice((gpu for gpu in gpus if _locked(gpu, attempt)), count))
        if len(free) < count:
            return []
        stack.push(attempt.pop_all())
        return free


def _locked(gpu: str, stack: ExitStack) -> bool:
    """Lock the GPU until `stack` closes, unless another process has."""
    file = (Path(tempfile.gettempdir()) / f"fcr-gpu-{os.getuid()}-{gpu}.lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    # A command that takes this process's place keeps it.
    os.set_inheritable(file.fileno(), True)
    stack.enter_context(file)
    return True
