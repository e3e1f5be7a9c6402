"""Measure how many steps to decode in one launch: more steps keep a GPU busy, too many leave the caches of a CPU."""

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
    """Return the `max_parallel` with which `sample()` took the least time.

    `sample()` should run `pipe` as it will be used: batch, steps, guidance.

    >>> from fcr_core.backbones.loading import load_pipeline
    >>> from fcr_core.caching.plan import KeySteps
    >>> pipe, plan = load_pipeline("models/pocket"), Plan(KeySteps.uniform(4))
    >>> best = fastest_max_parallel(pipe, plan, lambda: pipe("red apple", num_inference_steps=4), candidates=(1, 3), repeats=1)
    >>> best in (1, 3)
    True

    The runs are interleaved and their medians are compared. Images differ between candidates only by rounding.
    """

    def run(max_parallel: int) -> None:
        with EncoderCache(pipe, plan, max_parallel=max_parallel):
            sample()

    table = measure_latency({str(candidate): partial(run, candidate) for candidate in candidates}, repeats, device)
    return int(table.groupby("sampler")["seconds"].median().idxmin())
