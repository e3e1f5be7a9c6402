"""Seconds and peak memory of Fréchet distance, KID and precision/recall beside clean-fid, torch-fidelity and prdc.

All in one process on the same random float32 rows, one after the other; the ratio is of CPU seconds, which a busy machine changes
less than it does the clock (run it with OMP_NUM_THREADS=1). Memory is the process's RSS above its start, sampled every 5 ms:
torch's allocations count, which tracemalloc would not see.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import psutil
import torch
from cleanfid import fid
from prdc import compute_prdc
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric
from tqdm import tqdm

from fcr_core.metrics import frechet, kid, precision_recall
from fcr_core.metrics.frechet import Moments
from fcr_core.metrics.left_out import replicates

GIB = 2**30
LIMIT = 12 * GIB
NEIGHBOURS = precision_recall.NEIGHBOURS


class Contender(NamedTuple):
    quantity: str
    tool: str
    call: Callable[[], Any]
    bytes_per_pair: int = 0  # what it holds for each pair of rows at its peak, measured at 10 000 rows


def contenders(x: np.ndarray, y: np.ndarray) -> Iterator[Contender]:
    """All of them, those of one quantity together and our own first; `x` (n, d) is judged by `y` (n, d)."""
    tx, ty = torch.from_numpy(x), torch.from_numpy(y)
    yield from frechet_contenders(x, y)
    yield Contender("KID, all pairs", "fcr_core", lambda: kid.of_set(x, y))
    yield Contender("KID, all pairs, and 20 groups left out", "fcr_core", lambda: dict(replicates(kid, x[None], y))[-1])
    yield Contender(
        "KID, all pairs",
        "torch-fidelity",
        lambda: kid_features_to_metric(tx, ty, kid_subsets=1, kid_subset_size=len(x), verbose=False),
        bytes_per_pair=16,
    )
    yield Contender("KID, 100 x 1000 rows", "torch-fidelity", lambda: kid_features_to_metric(tx, ty, verbose=False))
    yield Contender("KID, 100 x 1000 rows", "clean-fid", lambda: fid.kernel_distance(x, y))
    yield Contender("P, R, D, C", "fcr_core", lambda: precision_recall.of_set(x, y))
    yield Contender("P, R, D, C", "prdc", lambda: compute_prdc(y, x, NEIGHBOURS), bytes_per_pair=15)
    for low_memory, cost in ((False, 16), (True, 0)):
        yield Contender(
            "P, R",
            f"torch-fidelity{', save_cpu_ram' if low_memory else ''}",
            lambda low=low_memory: prc_features_to_metric(tx, ty, prc_neighborhood=NEIGHBOURS, save_cpu_ram=low, verbose=False),
            bytes_per_pair=cost,
        )


def frechet_contenders(x: np.ndarray, y: np.ndarray) -> Iterator[Contender]:
    tx, ty = torch.from_numpy(x), torch.from_numpy(y)
    moments = [Moments.of(x), Moments.of(y)]
    given = [(one.mean, one.covariance) for one in moments]
    named = [{"mu": mean, "sigma": covariance} for mean, covariance in given]
    quantity = "Fréchet, given statistics"
    yield Contender(quantity, "fcr_core", lambda: frechet.frechet_distance(*moments))
    yield Contender(quantity, "torch-fidelity", lambda: fid_statistics_to_metric(*named, verbose=False))
    yield Contender(quantity, "clean-fid", lambda: fid.frechet_distance(*given[0], *given[1]))
    quantity = "Fréchet, from features"
    yield Contender(quantity, "fcr_core", lambda: frechet.of_set(x, y))
    yield Contender(
        quantity,
        "torch-fidelity",
        lambda: fid_statistics_to_metric(*[fid_features_to_statistics(z) for z in (tx, ty)], verbose=False),
    )
    yield Contender(quantity, "clean-fid", lambda: fid.fid_from_feats(x, y))
    yield Contender(f"{quantity}, and 20 groups left out", "fcr_core", lambda: dict(replicates(frechet, x[None], y))[-1])


def measured(contender: Contender, rows: int) -> dict[str, Any]:
    """One line of the table; a contender that would not fit is not run."""
    line = {"quantity": contender.quantity, "tool": contender.tool}
    need = contender.bytes_per_pair * rows**2
    if need > LIMIT:
        reason = f"not run: would need {need / GIB:.0f} GiB"
        return line | {"value": reason}
    with peak_memory() as peak, contextlib.redirect_stdout(io.StringIO()):
        start, cpu = time.perf_counter(), time.process_time()
        value = contender.call()
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    values = value.values() if isinstance(value, dict) else [value]
    shown = ", ".join(f"{number:.7g}" for number in values)
    return line | {"seconds": seconds, "CPU seconds": cpu, "peak GiB": peak[0] / GIB, "value": shown}


@contextlib.contextmanager
def peak_memory() -> Iterator[list[int]]:
    """A list whose only item is, at the end, the largest RSS within the block above that at its start, in bytes."""
    process, done = psutil.Process(), threading.Event()
    start = process.memory_info().rss
    peak = [0]

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], process.memory_info().rss - start)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def with_ratios(table: pd.DataFrame) -> pd.DataFrame:
    """Beside each line, its CPU seconds over those of our own line for the same quantity, or for the one that answers it."""
    own = table[table["tool"] == "fcr_core"].set_index("quantity")["CPU seconds"]
    own["P, R"], own["KID, 100 x 1000 rows"] = own["P, R, D, C"], own["KID, all pairs"]
    return table.assign(ratio=table["CPU seconds"] / table["quantity"].map(own))


def markdown(table: pd.DataFrame) -> str:
    """The table with a fixed number of digits; blank where a contender was not run."""
    shown = table[["quantity", "tool", "seconds", "CPU seconds", "ratio", "peak GiB", "value"]].copy()
    for name, digits in {"seconds": 1, "CPU seconds": 1, "ratio": 2, "peak GiB": 2}.items():
        shown[name] = [f"{value:.{digits}f}" if value == value else "" for value in shown[name]]
    return shown.to_markdown(index=False, disable_numparse=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--rows", type=int, default=30_000)
    parser.add_argument("--dimensions", type=int, default=2048)
    args = parser.parse_args()
    warnings.filterwarnings("ignore", category=DeprecationWarning)  # clean-fid's sqrtm(disp=)
    rng = np.random.default_rng(0)
    # Never negative, as pooled features are; the second set a little wider.
    sets = [rng.normal(size=(args.rows, args.dimensions), scale=scale).clip(0).astype(np.float32) for scale in (1, 1.02)]
    lines = []
    for contender in (bar := tqdm(contenders(*sets), unit="contender")):
        lines.append(measured(contender, args.rows))
        bar.write(str(lines[-1]), file=sys.stderr)
    print(f"{args.rows} x {args.dimensions} float32 rows a set, {os.cpu_count()} cores, numpy {np.__version__}\n")
    print(markdown(with_ratios(pd.DataFrame(lines))))
