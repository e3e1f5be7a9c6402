"""Figures of the ablation grid: what each recipe changes, and whether σ²_Δ predicts the quality lost."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fcr_core.tables.ablation import CONTROL

# Okabe-Ito: told apart by readers with any colour vision.
POINT, HERE = "#0072B2", "#D55E00"
DISTANCES = {
    "latent_mse_own": "latent MSE to the model's own uncached output",
    "latent_mse_base": "latent MSE to the base model's uncached output",
}


def grid_figure(ablations: pd.DataFrame, mechanism: pd.DataFrame, plan: str, delta: int) -> Figure:
    """Recipes from top to bottom: distances when sampled by `plan`, and σ²_Δ over the control's, each with its 95 % interval."""
    here = ablations[ablations["sampler"] == plan]
    recipes = list(dict.fromkeys(here["recipe"]))[::-1]
    figure, axes = plt.subplots(1, 3, figsize=(15, 0.27 * len(recipes) + 1.6), sharey=True, layout="constrained")
    for axis, (metric, title) in zip(axes, DISTANCES.items(), strict=False):
        table = here[here["metric"] == metric].set_index("recipe").loc[recipes]
        whiskers(axis, table["value"], table["low"], table["high"], table.loc[CONTROL, "value"])
        axis.set(title=f"{plan}: {title}", xlabel="lower is better")
    table = mechanism[(mechanism["block"] == "all") & (mechanism["delta"] == delta)].set_index("recipe").loc[recipes]
    value, low, high = (100 * table[f"relative_change{end}"] for end in ("", "_low", "_high"))
    whiskers(axes[2], value, low, high, 0.0)
    axes[2].set(title=f"σ²_Δ over the features' power, Δ = {delta}", xlabel="change against the control, %")
    axes[0].set_yticks(range(len(recipes)), recipes)
    for axis in axes:
        axis.title.set_fontsize(10)
    row = here.iloc[0]
    figure.suptitle(
        f"{row.n_prompts} held-out prompts, {row.n_seeds} seed(s), 95 % intervals over prompts; line: control", fontsize=11
    )
    return figure


def whiskers(axis: Axes, value: pd.Series, low: pd.Series, high: pd.Series, reference: float) -> None:
    axis.errorbar(value, range(len(value)), xerr=[value - low, high - value], fmt="o", color=POINT, markersize=4, linewidth=1)
    axis.axvline(reference, color="0.6", linewidth=1)
    axis.grid(axis="y", color="0.93")


def mechanism_figure(mechanism: pd.DataFrame, ablations: pd.DataFrame, fits: pd.DataFrame, plan: str, delta: int) -> Figure:
    """σ²_Δ against Δ, one line a model; and against the quality lost when sampled by `plan`, one point a model."""
    figure, axes = plt.subplots(1, 2, figsize=(13, 5), layout="constrained")
    lost = ablations[(ablations["sampler"] == plan) & (ablations["metric"] == "latent_mse_own")].set_index("recipe")["value"]
    table = mechanism[(mechanism["block"] == "all") & mechanism["recipe"].isin(lost.index)]
    for recipe, line in table.groupby("recipe"):
        axes[0].plot(line["delta"], line["relative"], color=HERE if recipe == CONTROL else "0.7", zorder=2 + (recipe == CONTROL))
    ends = table[table["delta"] == table["delta"].max()].sort_values("relative")
    for name in dict.fromkeys([ends["recipe"].iloc[0], CONTROL, ends["recipe"].iloc[-1]]):
        axes[0].annotate(name, (ends["delta"].iloc[0], ends.set_index("recipe").loc[name, "relative"]), fontsize=8)
    axes[0].set(
        xscale="log", yscale="log", xlabel="Δ (training timesteps)", title="σ²_Δ over the features' power, mean over blocks"
    )
    points = table[table["delta"] == delta].set_index("recipe").join(lost.rename("lost"), how="inner")
    axes[1].scatter(points["relative"], points["lost"], color=POINT)
    for name, point in points.iterrows():
        axes[1].annotate(str(name), (point["relative"], point["lost"]), fontsize=6, xytext=(3, 2), textcoords="offset points")
    row = fits[(fits["delta"] == delta) & (fits["measure"] == "relative") & (fits["metric"] == "latent_mse_own")].iloc[0]
    title = f"R² = {row.r2:.2f} ({row.r2_low:.2f} to {row.r2_high:.2f}), left out {row.r2_left_out:.2f}, {row.n_models} models"
    axes[1].set(
        xlabel=f"σ²_Δ over the features' power, Δ = {delta}", ylabel=f"{plan}: {DISTANCES['latent_mse_own']}", title=title
    )
    return figure
