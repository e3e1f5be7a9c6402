"""One GPU a job on a machine with several."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


def visible_gpus() -> list[str]:
    """Ids of the GPUs that this process may use: those of CUDA_VISIBLE_DEVICES, else all of the machine."""
    if (named := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return named.split(",")
    import torch  # seconds that those whose GPUs are named need not wait

    return [str(index) for index in range(torch.cuda.device_count())]


@contextmanager
def one_gpu() -> Iterator[None]:
    """Hold one of the visible GPUs, as the only one of CUDA_VISIBLE_DEVICES; wait for it while other jobs hold them all.

    Snakemake counts GPUs (`--resources gpu=2`) but gives none to a job. A lock file a GPU does; the kernel drops it with the
    process, also with an orphan of a killed Snakemake. Where only one GPU is visible, which is what SLURM and Kubernetes see to,
    there is nothing to choose. Must be entered before CUDA starts.
    """
    gpus = visible_gpus()
    if len(gpus) < 2:
        yield
        return
    with ExitStack() as stack:
        while (gpu := next((gpu for gpu in gpus if _locked(gpu, stack)), None)) is None:
            time.sleep(0.1)
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
        yield


def _locked(gpu: str, stack: ExitStack) -> bool:
    """Lock the GPU until `stack` closes, unless another process has."""
    file = (Path(tempfile.gettempdir()) / f"fcr-gpu-{os.getuid()}-{gpu}.lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    stack.enter_context(file)
    return True
