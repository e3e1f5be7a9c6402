"""How many steps to decode a launch, by measurement: more keep a GPU busy, too many leave a CPU's caches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from fcr_core.caching.encoder_cache import EncoderCache
from fcr_core.caching.plan import Plan
from fcr_core.cost.clock import measure_latency


def fastest_max_parallel(
    pipe: Any,
    plan: Plan,
    sample: Callable[[], Any],
    candidates: Sequence[int] = (1, 2, 4, 8, 16),
    repeats: int = 3,
    device: str = "cpu",
) -> int:
    """The `max_parallel` with which `sample()` (a run of `pipe` as it will be used: batch, steps, guidance) took the least time.

    >>> best = fastest_max_parallel(pipe, plan, lambda: pipe(prompts))       # doctest: +SKIP
    >>> with EncoderCache(pipe, plan, max_parallel=best):                    # doctest: +SKIP
    ...     images = pipe(prompts).images

    The runs are interleaved and the medians compared. Images differ between candidates by rounding alone.
    """

    def run(max_parallel: int) -> None:
        with EncoderCache(pipe, plan, max_parallel=max_parallel):
            sample()

    table = measure_latency({str(candidate): partial(run, candidate) for candidate in candidates}, repeats, device)
    return int(table.groupby("sampler")["seconds"].median().idxmin())
