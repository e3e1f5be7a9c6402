"""Interactive figures of the ablation grid: each recipe beside the control, and σ²_Δ against the quality lost."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from fcr_core.report.cells import Cell, Table
from fcr_core.report.numbers import VARIANCES, heading_of, interval, number, undirected
from fcr_core.report.page_ablation_tables import cells_tip, page_ablation_table
from fcr_core.report.results import Ablations
from fcr_core.report.views import Figure, View, bars, drawn
from fcr_core.tables.ablation import CONTROL

MEASURES = {"relative": VARIANCES["feature_variance_relative"], "variance": VARIANCES["feature_variance"]}
ROW_HEIGHT, MARGINS = 20, 110


def kind(recipe: str) -> str:
    """The colour of a recipe: the base model, the control, or a fine-tune."""
    return {"base": "plain", CONTROL: "control"}.get(recipe, "fcr")


def grid(ablations: Ablations) -> Figure:
    """Each recipe's distance with its interval, by sampler and metric; the line is the control's."""
    pairs = ablations.table[["sampler", "metric"]].drop_duplicates().itertuples(index=False)
    views = [grid_view(ablations, sampler, metric) for sampler, metric in pairs]
    return Figure("ablations", ["sampler", "metric"], views)


def grid_view(ablations: Ablations, sampler: str, metric: str) -> View:
    table, heading = ablations.table, heading_of(metric)[0]
    here = table[(table["sampler"] == sampler) & (table["metric"] == metric)].iloc[::-1]
    points = go.Scatter(
        x=here["value"].tolist(), y=here["recipe"].tolist(), mode="markers", showlegend=False,
        marker={"size": 8}, meta={"kinds": [kind(recipe) for recipe in here["recipe"]], "kind": "muted"},
        error_x=bars(*(here[column].tolist() for column in ("value", "low", "high"))),
        text=[interval(row.value, row.low, row.high, 4) for row in here.itertuples()],
        hovertemplate="<b>%{y}</b><br>%{text}<extra></extra>",
    )  # fmt: skip
    control = here[here["recipe"] == CONTROL]["value"].tolist()
    shapes = [
        {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": x, "x1": x, "line": {"dash": "dot", "width": 1}}
        for x in control
    ]
    plot = drawn([points], f"{heading}, sampled by {sampler}", "", height=ROW_HEIGHT * len(here) + MARGINS, shapes=shapes)
    return View((sampler, heading), plot, grid_sentence(here, sampler, heading), page_ablation_table(ablations, sampler, metric))


def grid_sentence(here: pd.DataFrame, sampler: str, heading: str) -> str:
    best = here.loc[here["value"].idxmin()]
    said = f"{undirected(heading)} when sampled by {sampler}, {len(here)} recipes. Lowest: {best.recipe}, {number(best.value, 4)}"
    if pd.notna(best.difference) and best.recipe != best.against:
        gap = interval(best.difference, best.difference_low, best.difference_high, 4)
        said += f"; paired difference from {best.against} {gap}"
    return said + "."


def mechanism(ablations: Ablations) -> Figure:
    """σ²_Δ against the quality lost, one point a model, by Δ, measure and metric; the largest Δ first."""
    fits = ablations.fits.sort_values("delta", ascending=False, kind="stable").sort_values(
        "metric", key=lambda metrics: metrics != "latent_mse_own", kind="stable"
    )
    return Figure("mechanism", ["quality lost", "Δ", "measure"], [mechanism_view(ablations, fit) for _, fit in fits.iterrows()])


def mechanism_view(ablations: Ablations, fit: pd.Series) -> View:
    lost = ablations.table[(ablations.table["sampler"] == fit.sampler) & (ablations.table["metric"] == fit.metric)]
    features = ablations.mechanism[(ablations.mechanism["block"] == "all") & (ablations.mechanism["delta"] == fit.delta)]
    models = features.merge(lost, on="recipe")
    heading, measured = heading_of(fit.metric)[0], models[fit.measure]
    points = go.Scatter(
        x=measured.tolist(), y=models["value"].tolist(), mode="markers+text", text=models["recipe"].tolist(), showlegend=False,
        textposition="top center", textfont={"size": 10}, marker={"size": 9},
        meta={"kinds": [kind(recipe) for recipe in models["recipe"]], "kind": "muted"},
        hovertemplate="<b>%{text}</b><br>%{x:.4g}, %{y:.4f}<extra></extra>",
    )  # fmt: skip
    plot = drawn([points], f"{MEASURES[fit.measure]}, Δ = {fit.delta}", f"{heading}, {fit.sampler}")
    rows = []
    for row, variance in zip(models.itertuples(), measured, strict=True):
        tip = cells_tip(ablations, row.recipe, row.n_prompts, row.n_seeds, "mechanism")
        cells = [Cell(number(variance), variance, tip), Cell(number(row.value, 4), row.value, tip)]
        rows.append([Cell(row.recipe, row.recipe, kind=kind(row.recipe)), *cells])
    sentence = f"R² = {interval(fit.r2, fit.r2_low, fit.r2_high, 2)}, of a left-out model {number(fit.r2_left_out, 2)}; "
    sentence += f"rank correlation {number(fit.spearman, 2)}; {fit.n_models} models sampled by {fit.sampler}."
    numbers = Table(["recipe", MEASURES[fit.measure], heading], rows)
    return View((heading, str(fit.delta), MEASURES[fit.measure]), plot, sentence, numbers)
