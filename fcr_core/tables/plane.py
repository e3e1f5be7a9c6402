"""The sampler plane: every way of caching one base model beside plain solvers with fewer steps, distance against cost.

No torch here: Snakemake reads the names, and a change of statistics reruns seconds.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from fcr_core.statistics.intervals import ratio_of_medians, skewed_mean_interval
from fcr_core.tables.criteria import Criterion

# "At least twice as fast as FD-5, and no further from the uncached output than 5 %": x − 1.05 · FD-5 at most 0, paired by prompt.
TWICE = Criterion("speed-up over the goal", "at least", 2.0)
MARGIN = 0.05
NO_WORSE = Criterion("distance to the uncached output, against the goal's", "at most", 0.0)
NAMES = {"ddim": "DDIM", "dpm++": "DPM++"}


@dataclass(frozen=True)
class Point:
    """One way of sampling; `nodes` None = every decoder runs."""

    name: str
    family: str
    scheduler: str
    steps: int
    stride: int = 1
    cut: int = 0
    reuse: str = "hold"
    nodes: int | None = None
    live: bool = False


def points_of(plane: dict[str, Any], steps: int) -> list[Point]:
    """All points of the plane, the uncached run first.

    >>> plane = {"strides": [5], "cuts": [0, 1], "nodes": ["all"], "reuse": ["hold"], "ddim": [10], "dpm++": []}
    >>> [point.name for point in points_of(plane, 50)]
    ['uncached-50', 'DDIM-10', 'FD-5', 'FD-5 cut 1', 'DeepCache-5 cut 1']
    """
    points = [Point(f"uncached-{steps}", "uncached", "ddim", steps)]
    points += [Point(f"{NAMES[s]}-{n}", f"{NAMES[s]}-N", s, n) for s in NAMES for n in plane[s]]
    for stride, cut, nodes, reuse in product(plane["strides"], plane["cuts"], plane["nodes"], plane["reuse"]):
        evaluated = None if nodes == "all" else nodes
        parts = [f"cut {cut}"] * (cut > 0) + [f"nodes {nodes}"] * (nodes != "all") + [reuse] * (reuse != "hold")
        points.append(Point(" ".join([f"FD-{stride}", *parts]), f"FD cut {cut}", "ddim", steps, stride, cut, reuse, evaluated))
    for stride, cut in product(plane["strides"], [cut for cut in plane["cuts"] if cut > 0]):
        points.append(Point(f"DeepCache-{stride} cut {cut}", f"DeepCache cut {cut}", "ddim", steps, stride, cut, live=True))
    return points


def plane_table(
    points: list[Point],
    distances: dict[str, pd.DataFrame],
    latency: pd.DataFrame,
    counted: dict[str, dict[str, float]],
    goal: str,
) -> pd.DataFrame:
    """One row a point: cost counted and measured, distances to the uncached output with 95 % intervals, verdicts against `goal`.

    `distances[name]` has one row a prompt and one column a metric; `latency` has `sampler`, `repeat`, `seconds_per_image`;
    `counted[name]` the passes, FLOPs and FLOP limit.
    """
    seconds = {str(name): table["seconds_per_image"].to_numpy() for name, table in latency.groupby("sampler")}
    rows = []
    for point in points:
        mine = seconds[point.name]
        faster = ratio_of_medians(seconds[goal], mine)
        row = asdict(point) | counted[point.name] | {"n_images": len(distances[point.name])}
        row |= dict(zip(("ms_q25", "ms", "ms_q75"), np.percentile(1000 * mine, [25, 50, 75]), strict=True))
        row |= {
            f"speedup_over_{goal}": faster.value,
            f"speedup_over_{goal}_low": faster.low,
            f"speedup_over_{goal}_high": faster.high,
            f"twice_as_fast_as_{goal}": TWICE.verdict(faster),
        }
        for metric in distances[goal].columns:
            row |= distance_columns(metric, distances[point.name][metric], distances[goal][metric], goal)
        rows.append(row)
    return pd.DataFrame(rows)


def better_ways(table: pd.DataFrame, goal: str) -> pd.DataFrame:
    """The rows that cache and meet every criterion against `goal`: twice as fast, and by no metric further away."""
    verdicts = table.filter(regex=f"_(than|as)_{goal}$")
    return table[(verdicts == "met").all(axis=1) & (table["stride"] > 1)]


def distance_columns(metric: str, mine: pd.Series, goals: pd.Series, goal: str) -> dict[str, Any]:
    """Mean with its interval, and whether it is no worse than the goal's by more than the margin."""
    here = skewed_mean_interval(mine.to_numpy())
    verdict = NO_WORSE.verdict(skewed_mean_interval((mine - (1 + MARGIN) * goals).to_numpy()))
    return {metric: here.value, f"{metric}_low": here.low, f"{metric}_high": here.high, f"{metric}_no_worse_than_{goal}": verdict}
