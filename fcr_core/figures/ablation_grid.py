"""Each recipe's effect: distances at one sampler, and σ²_Δ against the control's."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fcr_core.experiment.row import Row
from fcr_core.figures.colours import COLOURS
from fcr_core.tables.mechanism import compared_rows
from fcr_core.tables.metric_columns import label
from fcr_core.tables.places import model_label
from fcr_core.tables.results import Results

DISTANCES = ("latent_mse_own", "latent_mse_base")


def figure(results: Results) -> Figure:
    """Recipes from top to bottom, place by place: distances, and σ²_Δ over the control's, each with its 95 % interval."""
    experiment, compared = results.experiment, compared_rows(results.experiment)
    assert experiment.mechanism is not None
    heights = [0.27 * len(rows) + 1.0 for rows in compared.values()]
    drawn, axes = plt.subplots(
        len(compared), 3, figsize=(15, sum(heights) + 0.6), sharey="row", layout="constrained", squeeze=False,
        height_ratios=heights,
    )  # fmt: skip
    for line, (place, rows) in zip(axes, compared.items(), strict=True):
        ordered = rows[::-1]
        values = results.rows.set_index("variation").loc[[row.name for row in ordered]]
        for axis, metric in zip(line, DISTANCES, strict=False):
            whiskers(axis, ordered, values[metric], values[f"{metric}_low"], values[f"{metric}_high"])
            for control in controls(rows):
                axis.axvline(values.loc[control, metric], color="0.6", linewidth=1)
            axis.set(title=results.titled(place, f"{experiment.mechanism.sampler}: {label(metric)}"), xlabel="lower is better")
        draw_variance(line[2], results, ordered)
        line[0].set_yticks(range(len(ordered)), [model_label(row) for row in ordered])
        for axis in line:
            axis.title.set_fontsize(10)
    row = results.rows.iloc[0]
    said = f"{row.n_prompts:.0f} held-out prompts, {row.n_seeds:.0f} seed(s), 95 % intervals over prompts; line: control"
    drawn.suptitle(said, fontsize=11)
    return drawn


def controls(rows: list[Row]) -> list[str]:
    """Names of the rows that others are compared with."""
    return list(dict.fromkeys(row.control for row in rows if row.control))


def draw_variance(axis: Axes, results: Results, rows: list[Row]) -> None:
    """Change of σ²_Δ against the control's at the Δ that is shown."""
    assert results.experiment.mechanism is not None and results.mechanism is not None
    delta, table = results.experiment.mechanism.delta, results.mechanism
    model = rows[0].cell
    here = (table["backbone"] == model.model.backbone) & (table["dataset"] == model.setting.dataset)
    shown = table[here & (table["block"] == "all") & (table["delta"] == delta)].set_index("recipe")
    value, low, high = (
        100 * shown.loc[[model_label(row) for row in rows], f"relative_change{end}"] for end in ("", "_low", "_high")
    )
    whiskers(axis, rows, value, low, high)
    axis.axvline(0.0, color="0.6", linewidth=1)
    axis.set(title=f"σ²_Δ over the features' power, Δ = {delta}", xlabel="change against the control, %")


def whiskers(axis: Axes, rows: list[Row], value: pd.Series, low: pd.Series, high: pd.Series) -> None:
    """Each row's value with its interval, in the colour of its role."""
    for place, row in enumerate(rows):
        error = [[value.iloc[place] - low.iloc[place]], [high.iloc[place] - value.iloc[place]]]
        axis.errorbar(value.iloc[place], place, xerr=error, fmt="o", color=COLOURS[row.role], markersize=4, linewidth=1)
    axis.grid(axis="y", color="0.93")
