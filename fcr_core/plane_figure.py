"""The figure of the sampler plane: distance to the uncached output against latency, solvers as lines, caches as points."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PANELS = {"latent_mse": "latent MSE to the uncached output", "st_lpips_alex": "ST-LPIPS (AlexNet) to the uncached output"}
SOLVERS = {"DDIM-N": ("#000000", "-"), "DPM++-N": ("#777777", "--")}
# Okabe-Ito: told apart by readers with any colour vision.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]


def plane_figure(table: pd.DataFrame, goal: str) -> Figure:
    """One panel a metric, log-log; the best distance at each latency is joined by a line, and the goal is ringed."""
    figure, axes = plt.subplots(1, len(PANELS), figsize=(14, 6), layout="constrained")
    cached = table[table["family"] != "uncached"]
    for axis, (metric, title) in zip(axes, PANELS.items(), strict=True):
        draw_points(axis, cached, metric)
        front = pareto_front(cached, metric)
        axis.plot(front["ms"], front[metric], color="0.75", linewidth=6, zorder=0, label="front")
        chosen = table[table["name"] == goal]
        axis.scatter(chosen["ms"], chosen[metric], s=200, facecolors="none", edgecolors="black", label=goal)
        uncached = table[table["family"] == "uncached"]
        axis.axvline(uncached["ms"].iloc[0], color="0.6", linestyle=":", label=uncached["name"].iloc[0])
        axis.set(xscale="log", yscale="log", xlabel="ms an image (median)", title=title + " (lower is better)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize=9)
    figure.suptitle(f"{table['n_images'].max()} held-out prompts, one seed, 95 % intervals; filled = hold, hollow = linear; "
                    "diamond = two decoders a group")  # fmt: skip
    return figure


def draw_points(axis: Axes, table: pd.DataFrame, metric: str) -> None:
    colours = iter(COLOURS)
    for family, rows in table.groupby("family", sort=False):
        colour, line = SOLVERS.get(str(family), (None, ""))
        colour = colour or next(colours)
        rows = rows.sort_values("ms")
        axis.plot(rows["ms"], rows[metric], color=colour, linestyle=line or "none", marker="." if line else None, label=family)
        for row in rows.itertuples():
            value = getattr(row, metric)
            error = [[value - getattr(row, f"{metric}_low")], [getattr(row, f"{metric}_high") - value]]
            axis.errorbar(
                row.ms, value, yerr=error, color=colour, capsize=2, linewidth=0.8,
                marker="." if line else ("D" if row.nodes == row.nodes else "o"),
                fillstyle="none" if row.reuse == "linear" else "full",
            )  # fmt: skip


def pareto_front(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The rows that no row is both faster than and closer than, by latency.

    >>> table = pd.DataFrame({"ms": [1, 2, 3, 4], "d": [4.0, 5.0, 2.0, 3.0]})
    >>> pareto_front(table, "d")["ms"].tolist()
    [1, 3]
    """
    ordered = table.sort_values("ms")
    return ordered[ordered[metric] == ordered[metric].cummin()].drop_duplicates(metric)
