"""Quality against latency."""

from __future__ import annotations

from itertools import cycle

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from fcr_core.figures.colours import COLOURS
from fcr_core.tables.metric_columns import describe, label
from fcr_core.tables.metric_roles import FRECHET
from fcr_core.tables.results import Results

MARKERS = "osD^vP*X<>"
# Rows of equal cost have the same latency: they are drawn side by side, so many points (1/72 inch) apart.
DODGE = 9
DISTANCE = "latent_mse_base"


def figure(results: Results) -> Figure:
    """One panel a metric and place: x = milliseconds an image with quartiles, y = the metric with its 95 % interval.

    A grey tick at each point's height marks the latency that its FLOPs allow at the uncached row's speed.
    """
    assert results.experiment.cost is not None
    batch, panels = results.experiment.cost.shown, [*FRECHET.measured(results.rows), DISTANCE]
    places = results.places
    size = (6.5 * len(panels), 0.4 + 5 * len(places))
    drawn, axes = plt.subplots(len(places), len(panels), figsize=size, layout="constrained", squeeze=False)
    for line, place in zip(axes, places, strict=True):
        for axis, metric in zip(line, panels, strict=True):
            title = f"{label(metric)} ({describe(metric).direction} is better)"
            axis.set_title(results.titled(place, title), fontsize=10)
            draw_panel(axis, results.at(place), metric, f"latency_ms_b{batch}", results.uncached(place))
            axis.set_xlabel(f"ms an image at batch {batch} (quartiles); rows of equal cost side by side")
        line[-1].legend(*line[0].get_legend_handles_labels(), loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=9)
    row, goal = results.rows.iloc[0], results.experiment.goal
    kept = f"; the quality to keep: {goal}" if goal else ""
    drawn.suptitle(f"{row.n_prompts:.0f} held-out prompts x {row.n_seeds:.0f} seeds, 95 % intervals{kept}", fontsize=11)
    return drawn


def draw_panel(axis: Axes, rows: pd.DataFrame, metric: str, latency: str, uncached: str | None) -> None:
    if uncached:
        allowed = rows.set_index("variation").loc[uncached, latency] / rows["flop_limit_vs_uncached"]
        axis.scatter(allowed, rows[metric], marker="|", s=160, color="0.5", label="latency its FLOPs allow", zorder=1)
    same_cost = rows.groupby(latency).cumcount()
    for shift, marker, (_, row) in zip(same_cost, cycle(MARKERS), rows.iterrows(), strict=False):
        beside = axis.transData + ScaledTranslation(DODGE * shift / 72, 0, axis.figure.dpi_scale_trans)
        x, y = row[latency], row[metric]
        axis.errorbar(
            x, y, xerr=[[x - row[f"{latency}_q25"]], [row[f"{latency}_q75"] - x]],
            yerr=[[y - row[f"{metric}_low"]], [row[f"{metric}_high"] - y]],
            fmt=marker, capsize=3, color=COLOURS[row["role"]], label=str(row["variation"]), transform=beside, zorder=2,
        )  # fmt: skip
    if f"{metric}_real" in rows:
        axis.axhline(rows[f"{metric}_real"].iloc[0], color="0.6", linestyle=":", label="real images: two halves")
    axis.set_xlim(0, 1.1 * rows[f"{latency}_q75"].max())
    axis.set_ylim(0, 1.05 * rows[f"{metric}_high"].max())
