"""The figures of Experiment 1."""

from __future__ import annotations

from itertools import cycle

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from fcr_core.tables.metric_columns import describe, label
from fcr_core.tables.metric_roles import FRECHET

# Okabe-Ito: told apart by readers with any colour vision.
PLAIN, CACHED, CONTROL, FCR = "#000000", "#0072B2", "#009E73", "#D55E00"
MARKERS = "osD^vP*X<>"
# Rows of equal cost have the same latency: they are drawn side by side, so many points (1/72 inch) apart.
DODGE = 9


def colour_of(name: str) -> str:
    """Plain solvers, cached sampling of the base model, the controls, and fine-tunes."""
    if name.startswith(("FCR(0)", "control")):
        return CONTROL
    if name.startswith("FD"):
        return CACHED
    return FCR if "FD-" in name else PLAIN


def tradeoff(table: pd.DataFrame, real: pd.DataFrame, goal: str, batch: int) -> Figure:
    """One panel a metric: x = milliseconds an image at `batch` with quartiles, y = the metric with its 95 % interval.

    A grey tick at each point's height marks the latency that its FLOPs allow at the uncached row's speed.
    """
    panels = [FRECHET.column(table), "latent_mse_base"]
    figure, axes = plt.subplots(1, len(panels), figsize=(13, 5.4), layout="constrained")
    floors = real.groupby("metric")["value"].mean()
    for axis, metric in zip(axes, panels, strict=True):
        draw_panel(axis, table, metric, f"latency_ms_b{batch}")
        if metric in floors:
            axis.axhline(floors[metric], color="0.6", linestyle=":", label="real images: two halves")
        axis.set_title(f"{label(metric)} ({describe(metric).direction} is better)", fontsize=10)
        axis.set_xlabel(f"ms an image at batch {batch} (quartiles); rows of equal cost side by side")
        axis.set_xlim(0, 1.1 * table[f"latency_ms_b{batch}_q75"].max())
        axis.set_ylim(0, 1.05 * table[f"{metric}_high"].max())
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize=9)
    row = table.iloc[0]
    title = f"{row.n_prompts} held-out prompts x {row.n_seeds} seeds, 95 % intervals; the quality to keep: {goal}"
    figure.suptitle(title, fontsize=11)
    return figure


def draw_panel(axis: Axes, table: pd.DataFrame, metric: str, latency: str) -> None:
    allowed = table[latency].iloc[0] / table["flop_limit_vs_uncached"]
    axis.scatter(allowed, table[metric], marker="|", s=160, color="0.5", label="latency its FLOPs allow", zorder=1)
    same_cost = table.groupby(latency).cumcount()
    for shift, marker, (_, row) in zip(same_cost, cycle(MARKERS), table.iterrows(), strict=False):
        name, x, y = str(row["variation"]), row[latency], row[metric]
        beside = axis.transData + ScaledTranslation(DODGE * shift / 72, 0, axis.figure.dpi_scale_trans)
        axis.errorbar(
            x,
            y,
            xerr=[[x - row[f"{latency}_q25"]], [row[f"{latency}_q75"] - x]],
            yerr=[[y - row[f"{metric}_low"]], [row[f"{metric}_high"] - y]],
            fmt=marker,
            capsize=3,
            color=colour_of(name),
            label=name,
            transform=beside,
            zorder=2,
        )
