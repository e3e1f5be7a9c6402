"""The figure of the sampler plane: distance to the uncached output against latency, solvers as lines, caches as points."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, ScalarFormatter

from fcr_core.tables.plane import better_ways

PANELS = {"latent_mse": "latent MSE to the uncached output", "st_lpips_alex": "ST-LPIPS (AlexNet) to the uncached output"}
SOLVERS = {"DDIM-N": ("#000000", "-"), "DPM++-N": ("#777777", "--")}
# Okabe-Ito: told apart by readers with any colour vision.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
KEY = "numbers: stride, or steps of a solver; filled = hold, hollow = linear; diamond = two decoders a group"


def plane_figure(table: pd.DataFrame, goal: str) -> Figure:
    """One panel a metric, log-log; a line joins the best distance at each latency, rings mark the goal and what beats it."""
    figure, axes = plt.subplots(1, len(PANELS), figsize=(15, 6.5), layout="constrained")
    rings = [
        (table[table["name"] == goal], "black", goal),
        (better_ways(table, goal), "#009E73", f"2x faster than {goal}, as close"),
    ]
    for axis, (metric, title) in zip(axes, PANELS.items(), strict=True):
        points = table[table["family"] != "uncached"]
        draw_points(axis, points, metric)
        front = pareto_front(points, metric)
        axis.plot(front["ms"], front[metric], color="0.85", linewidth=6, zorder=0, label="front")
        for rows, colour, label in rings:
            axis.scatter(rows["ms"], rows[metric], s=220, facecolors="none", edgecolors=colour, linewidth=2, label=label)
        uncached = table[table["family"] == "uncached"]
        axis.axvline(uncached["ms"].iloc[0], color="0.6", linestyle=":", label=uncached["name"].iloc[0])
        axis.set(xscale="log", yscale="log", xlabel="ms an image (median)", title=title + " (lower is better)")
        axis.set_ylim(points[metric].min() / 2, points[metric].max() * 2)
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(ScalarFormatter())
        axis.minorticks_off()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper", fontsize=9)
    figure.suptitle(f"{table['n_images'].max()} held-out prompts, one seed, 95 % intervals\n{KEY}", fontsize=11)
    return figure


def draw_points(axis: Axes, table: pd.DataFrame, metric: str) -> None:
    """Every row with its interval and its number; solvers joined by a line."""
    colours = iter(COLOURS)
    for family, rows in table.groupby("family", sort=False):
        solver = family in SOLVERS
        colour, line = SOLVERS[str(family)] if solver else (next(colours), "none")
        rows = rows.sort_values("ms")
        axis.plot(rows["ms"], rows[metric], color=colour, linestyle=line, marker="." if solver else "", zorder=2)
        # An empty line of its own for the legend: points differ in marker and fill.
        axis.plot([], [], color=colour, linestyle=line, marker="." if solver else "o", label=family)
        for row in rows.itertuples():
            value = getattr(row, metric)
            error = [[value - getattr(row, f"{metric}_low")], [getattr(row, f"{metric}_high") - value]]
            marker = "." if solver else ("o" if pd.isna(row.nodes) else "D")
            fill = "none" if row.reuse == "linear" else "full"
            axis.errorbar(row.ms, value, error, color=colour, linewidth=0.6, marker=marker, markersize=5, fillstyle=fill)
            number = str(row.steps if solver else row.stride)
            axis.annotate(number, (row.ms, value), (4, 3), textcoords="offset points", fontsize=7, color=colour)


def pareto_front(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The rows that no row is both faster than and closer than, by latency.

    >>> table = pd.DataFrame({"ms": [1, 2, 3, 4], "d": [4.0, 5.0, 2.0, 3.0]})
    >>> pareto_front(table, "d")["ms"].tolist()
    [1, 3]
    """
    ordered = table.sort_values("ms")
    return ordered[ordered[metric] == ordered[metric].cummin()].drop_duplicates(metric)
