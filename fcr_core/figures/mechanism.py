"""Does σ²_Δ predict the quality lost?"""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fcr_core.experiment.row import Row
from fcr_core.figures.colours import COLOURS
from fcr_core.tables.mechanism import compared_rows, distances_at
from fcr_core.tables.metric_columns import label
from fcr_core.tables.places import Place, model_label
from fcr_core.tables.results import Results

METRIC = "latent_mse_own"


def figure(results: Results) -> Figure:
    """Place by place σ²_Δ against Δ, one line a model; and against the quality lost, one point a model."""
    compared = compared_rows(results.experiment)
    size = (13, 0.2 + 4.8 * len(compared))
    drawn, axes = plt.subplots(len(compared), 2, figsize=size, layout="constrained", squeeze=False)
    for (left, right), (place, rows) in zip(axes, compared.items(), strict=True):
        table = of_models(results, place, rows)
        draw_lines(left, table, rows)
        left.set_title(results.titled(place, "σ²_Δ over the features' power, mean over blocks"))
        draw_fit(right, results, place, table)
    return drawn


def of_models(results: Results, place: Place, rows: list[Row]) -> pd.DataFrame:
    """σ²_Δ of the models that are compared at a place, mean over blocks, with their `role`."""
    assert results.mechanism is not None
    table, roles = results.mechanism, {model_label(row): row.role for row in rows}
    here = (table["backbone"] == place.backbone) & (table["dataset"] == place.dataset) & (table["block"] == "all")
    shown = table[here & table["recipe"].isin(roles)]
    return shown.assign(role=shown["recipe"].map(roles))


def draw_lines(axis: Axes, table: pd.DataFrame, rows: list[Row]) -> None:
    """One line a model, the controls' in colour; they and the two ends are named."""
    controls = {model_label(row) for row in rows if row.role == "control"}
    for recipe, line in table.groupby("recipe"):
        own = recipe in controls
        axis.plot(line["delta"], line["relative"], color=COLOURS["control"] if own else "0.7", zorder=2 + own)
    ends = table[table["delta"] == table["delta"].max()].sort_values("relative").set_index("recipe")
    for name in dict.fromkeys([ends.index[0], *sorted(controls), ends.index[-1]]):
        axis.annotate(name, (ends["delta"].iloc[0], ends.loc[name, "relative"]), fontsize=8)
    axis.set(xscale="log", yscale="log", xlabel="Δ (training timesteps)")


def draw_fit(axis: Axes, results: Results, place: Place, table: pd.DataFrame) -> None:
    """One point a model at the Δ that is shown, and how well a line through them predicts."""
    assert results.experiment.mechanism is not None and results.fits is not None
    delta, lost = results.experiment.mechanism.delta, distances_at(results.experiment, results.rows)[place][METRIC]
    points = table[table["delta"] == delta].set_index("recipe").join(lost.rename("lost"), how="inner")
    axis.scatter(points["relative"], points["lost"], color=[COLOURS[role] for role in points["role"]])
    for name, point in points.iterrows():
        axis.annotate(str(name), (point["relative"], point["lost"]), fontsize=6, xytext=(3, 2), textcoords="offset points")
    fits = results.fits
    found = fits[(fits["delta"] == delta) & (fits["measure"] == "relative") & (fits["metric"] == METRIC)]
    found = found[(found[list(Place._fields)] == list(place)).all(axis="columns")]
    for row in found.itertuples():
        title = (
            f"R² = {row.r2:.2f} ({row.r2_low:.2f} to {row.r2_high:.2f}), left out {row.r2_left_out:.2f}, {row.n_models} models"
        )
        axis.set_title(results.titled(place, title))
    axis.set(
        xlabel=f"σ²_Δ over the features' power, Δ = {delta}", ylabel=f"{results.experiment.mechanism.sampler}: {label(METRIC)}"
    )
