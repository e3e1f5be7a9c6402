"""Measure the time and memory of sampling: interleaved repeats, wall and device clocks, memory peaks by several counters."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import pandas as pd
import psutil
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary
from tqdm import tqdm


@dataclass
class Clock:
    """Seconds of one run: `wall` by the host's clock, `device` by CUDA events (NaN on a CPU)."""

    wall: float = float("nan")
    device: float = float("nan")


@contextmanager
def timed(device: str = "cpu") -> Iterator[Clock]:
    """Time the block. On CUDA it starts and ends with an idle device."""
    clock = Clock()
    if device == "cuda":
        events = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
        torch.cuda.synchronize()
        events[0].record()
    start = time.perf_counter()
    yield clock
    if device == "cuda":
        events[1].record()
        torch.cuda.synchronize()
        clock.device = events[0].elapsed_time(events[1]) / 1000
    clock.wall = time.perf_counter() - start


def measure_latency(
    runs: Mapping[str, Callable[[], object]], repeats: int, device: str = "cpu", nvtx: bool = False, warmup: int = 1
) -> pd.DataFrame:
    """Time each run in interleaved rounds: A B C, A B C, ... The first `warmup` rounds do not count.

    Interleaving makes a drift of the machine's speed hit all runs alike. With `nvtx` each run is a named range for Nsight.

    Columns of the result: `sampler`, `repeat`, `seconds` (wall clock), `device_seconds` (CUDA events, NaN on a CPU).

    >>> table = measure_latency({"short": lambda: sum(range(10)), "long": lambda: sum(range(1000))}, repeats=2)
    >>> table["sampler"].tolist()
    ['short', 'long', 'short', 'long']
    """
    rows = []
    for repeat in tqdm(range(-warmup, repeats), desc="latency", unit="round"):
        for name, run in runs.items():
            with torch.cuda.nvtx.range(name) if nvtx else nullcontext(), timed(device) as clock:
                run()
            rows.append((name, repeat, clock.wall, clock.device))
    table = pd.DataFrame(rows, columns=["sampler", "repeat", "seconds", "device_seconds"])
    return table[table["repeat"] >= 0]


def process_bytes(device: str = "cpu") -> int:
    """Return the bytes of memory that this process holds now.

    On a CPU it is the resident set. On CUDA it is what the driver (NVML) says the process holds on the current device. NVML
    counts the context and the allocator's reserve. Torch's own counters leave these out.
    """
    if device != "cuda":
        return psutil.Process().memory_info().rss
    import pynvml

    pynvml.nvmlInit()
    handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(torch.cuda.current_device()).uuid}")
    processes = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    return sum(process.usedGpuMemory or 0 for process in processes if process.pid == os.getpid())


def peak_tensor_bytes(run: Callable[[], object], device: str = "cpu") -> int:
    """Return the most bytes that tensors made during `run` held at once. Weights and other older tensors do not count.

    On CUDA the allocator counts. On a CPU every tensor is followed, which is exact. The resident set size is not exact, because
    it includes memory that the C library keeps for later.
    """
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return torch.cuda.max_memory_allocated() - before
    with _LiveTensorBytes() as tracked:
        run()
    return tracked.peak


class _LiveTensorBytes(TorchDispatchMode):
    """Add up the storages of all tensors that operators return, until each is freed."""

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = 0
        self._seen = WeakIdKeyDictionary()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        # A storage that an operator is given, and that was not made here, is older: a view of a weight is not new memory.
        for storage in storages_of((args, kwargs)):
            self._seen.setdefault(storage, True)
        result = func(*args, **(kwargs or {}))
        for storage in storages_of(result):
            self._follow(storage)
        return result

    def _follow(self, storage: torch.UntypedStorage) -> None:
        if storage not in self._seen:
            self._seen[storage] = True
            self._change(storage.nbytes())
            weakref.finalize(storage, self._change, -storage.nbytes())

    def _change(self, size: int) -> None:
        self.live += size
        self.peak = max(self.peak, self.live)


def storages_of(tree: object) -> list[torch.UntypedStorage]:
    """Return the storages of all tensors in nested containers."""
    return [leaf.untyped_storage() for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]
