"""The cost of an experiment's samplers on one backbone: passes, FLOPs, timings and memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from fcr_core.statistics.intervals import Interval, ratio_of_medians

# By (quantity, statistic), as in a table of measurements.
Statistics = dict[tuple[str, str], float]


class Cost:
    """`table`: every timing, as measure_cost wrote them; rows of one sampler share them."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table
        self.by_sampler = {str(name): rows.sort_values("repeat") for name, rows in table.groupby("sampler", sort=False)}

    @property
    def batches(self) -> list[int]:
        """Images a call, smallest first."""
        return sorted(int(batch) for batch in self.table["batch"].unique())

    @property
    def machine(self) -> str:
        return ", ".join(dict.fromkeys(self.table["device"]))

    def at(self, sampler: str, batch: int) -> pd.DataFrame:
        """The timings of a sampler at a batch, in the order of the rounds."""
        rows = self.by_sampler[sampler]
        return rows[rows["batch"] == batch]

    def flops(self, sampler: str) -> float:
        """FLOPs of the UNet for one image."""
        return self.by_sampler[sampler]["unet_flops"].iloc[0]

    def speedup(self, sampler: str, goal: str, batch: int) -> Interval:
        """The goal's time over the sampler's, round by round."""
        return ratio_of_medians(self.at(goal, batch)["seconds"].to_numpy(), self.at(sampler, batch)["seconds"].to_numpy())

    def peak(self, sampler: str, batch: int, of: str = "peak_tensor_bytes") -> float:
        """Peak bytes of tensors: of a call, or of its sampling loop alone ("loop_tensor_bytes")."""
        return self.at(sampler, batch)[of].iloc[0]


def cost_statistics(cost: Cost, sampler: str, goal: str | None, uncached: str) -> Statistics:
    """Passes, FLOPs and what they allow, and measured latency, speed-up and memory at each batch.

    Comparisons are left out where the other sampler was not measured.
    """
    counted = cost.by_sampler[sampler].iloc[0]
    found: Statistics = {(name, "value"): counted[name] for name in ("encoder_passes", "decoder_passes")}
    found["unet_gflops", "value"] = cost.flops(sampler) / 1e9
    for name, other in (("goal", goal), ("uncached", uncached)):
        if other in cost.by_sampler:
            found[f"flop_limit_vs_{name}", "value"] = cost.flops(str(other)) / cost.flops(sampler)
    for batch in cost.batches:
        found |= dict(at_batch(cost, sampler, goal, batch))
    return found


def at_batch(cost: Cost, sampler: str, goal: str | None, batch: int) -> Iterator[tuple[tuple[str, str], float]]:
    timings = cost.at(sampler, batch)
    low, middle, high = np.percentile(1000 * timings["seconds_per_image"], [25, 50, 75])
    yield from (((f"latency_ms_b{batch}", end), ms) for end, ms in (("value", middle), ("q25", low), ("q75", high)))
    if goal in cost.by_sampler:
        ratio = cost.speedup(sampler, str(goal), batch)
        ends = {"value": ratio.value, "low": ratio.low, "high": ratio.high}
        yield from (((f"speedup_b{batch}", end), value) for end, value in ends.items())
    yield (f"peak_tensor_mb_b{batch}", "value"), cost.peak(sampler, batch) / 1e6
