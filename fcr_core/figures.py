"""The figures of Experiment 1."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

PANELS = {
    "frechet_pca64_effnet": "Fréchet distance, PCA-64 of EfficientNet-lite0 (lower is better)",
    "latent_mse_base": "latent MSE to the base model's uncached output (lower is better)",
}
# Okabe-Ito: told apart by readers with any colour vision.
PLAIN, CACHED, CONTROL, FCR = "#000000", "#0072B2", "#009E73", "#D55E00"


def colour_of(name: str) -> str:
    if name.startswith("FCR(0)"):
        return CONTROL
    if name.startswith("FCR"):
        return FCR
    return CACHED if name.startswith("FD") else PLAIN


def tradeoff(table: pd.DataFrame, real: pd.DataFrame, goal: str) -> Figure:
    """One panel a metric: x = milliseconds an image at batch 1 with quartiles, y = the metric with its 95 % interval.

    A tick on each point's level marks the latency that its FLOPs allow at the uncached row's speed.
    """
    figure, axes = plt.subplots(1, len(PANELS), figsize=(13, 5.6), layout="constrained")
    floors = real.groupby("metric")["value"].mean()
    for axis, (metric, title) in zip(axes, PANELS.items(), strict=True):
        draw_panel(axis, table, metric)
        if metric in floors:
            axis.axhline(floors[metric], color="0.6", linestyle=":", label="real images: two halves")
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("milliseconds an image, batch 1 (quartiles)")
        axis.set_ylim(bottom=0)
        axis.legend(fontsize=8)
    row = table.iloc[0]
    figure.suptitle(f"{row.n_prompts} held-out prompts x {row.n_seeds} seeds, 95 % intervals; quality goal: {goal}", fontsize=11)
    return figure


def draw_panel(axis: Axes, table: pd.DataFrame, metric: str) -> None:
    uncached_ms = table["latency_ms_b1"].iloc[0]
    allowed = uncached_ms / table["flop_limit_vs_uncached"]
    axis.scatter(allowed, table[metric], marker="|", s=160, color="0.5", label="latency its FLOPs allow", zorder=1)
    for i, row in table.iterrows():
        x, y = row["latency_ms_b1"], row[metric]
        x_err = [[x - row["latency_ms_b1_q25"]], [row["latency_ms_b1_q75"] - x]]
        y_err = [[y - row[f"{metric}_low"]], [row[f"{metric}_high"] - y]]
        axis.errorbar(x, y, yerr=y_err, xerr=x_err, fmt="o", capsize=3, color=colour_of(row["variation"]), zorder=2)
        offset = (6, 7 + 9 * (int(i) % 3))
        axis.annotate(row["variation"], (x, y), xytext=offset, textcoords="offset points", fontsize=7)


def sample_grid(columns: dict[str, list[Image.Image]], prompts: list[str]) -> Figure:
    """One column a variation, one row a prompt."""
    figure, axes = plt.subplots(
        len(prompts), len(columns), figsize=(1.15 * len(columns) + 1.6, 1.15 * len(prompts) + 0.5), layout="constrained"
    )
    for column, (name, images) in enumerate(columns.items()):
        for row, image in enumerate(images):
            axis = axes[row, column]
            axis.imshow(np.asarray(image))
            axis.set_xticks([])
            axis.set_yticks([])
            axis.spines[:].set_visible(False)
            if row == 0:
                axis.set_title(name, fontsize=7)
            if column == 0:
                axis.set_ylabel(prompts[row].replace(" ", "\n", 1), fontsize=7, rotation=0, ha="right", va="center")
    return figure
