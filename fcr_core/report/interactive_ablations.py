"""Interactive figures of an experiment with a mechanism: each recipe beside the control, and σ²_Δ against the quality lost."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from fcr_core.experiment.row import Row
from fcr_core.report.cells import Cell, Table
from fcr_core.report.evidence import Evidence
from fcr_core.report.numbers import VARIANCES, heading_of, interval, number, undirected
from fcr_core.report.page_ablation_tables import features_tip, page_ablation_table
from fcr_core.report.provenance import Provenance
from fcr_core.report.views import Figure, View, bars, drawn
from fcr_core.tables.mechanism import compared_rows
from fcr_core.tables.places import Place, by_place, model_label

MEASURES = {"relative": VARIANCES["feature_variance_relative"], "variance": VARIANCES["feature_variance"]}
SHOWN = ("latent_mse_own", "latent_mse_base", "st_lpips_alex_own", "st_lpips_alex_base")
ROW_HEIGHT, MARGINS = 20, 110


def grid(evidence: Evidence, provenance: Provenance) -> Figure:
    """Each recipe's distance with its interval, by place, sampler and metric; the lines are the controls'."""
    views = []
    for place, rows in by_place(evidence.experiment.rows).items():
        by_sampler: dict[str, list[Row]] = {}
        for row in rows:
            by_sampler.setdefault(row.cell.sampler.name, []).append(row)
        views += [
            grid_view(evidence, provenance, (str(place), sampler, metric), same)
            for sampler, same in by_sampler.items()
            for metric in SHOWN
            if len(same) > 1 and metric in evidence.rows
        ]
    return Figure("ablations", ["drawn by", "sampler", "metric"], views)


def grid_view(evidence: Evidence, provenance: Provenance, choice: tuple[str, str, str], rows: list[Row]) -> View:
    place, sampler, metric = choice
    heading, values = heading_of(metric)[0], evidence.values.loc[[row.name for row in rows]]
    shown = values.iloc[::-1]
    points = go.Scatter(
        x=shown[metric].tolist(), y=[model_label(row) for row in rows[::-1]], mode="markers", showlegend=False,
        marker={"size": 8}, meta={"kinds": [row.role for row in rows[::-1]], "kind": "muted"},
        error_x=bars(*(shown[f"{metric}{end}"].tolist() for end in ("", "_low", "_high"))),
        text=[interval(mean, low, high, 4) for mean, low, high in shown[[metric, f"{metric}_low", f"{metric}_high"]].to_numpy()],
        hovertemplate="<b>%{y}</b><br>%{text}<extra></extra>",
    )  # fmt: skip
    controls = dict.fromkeys(row.control for row in rows if row.control)
    shapes = [line_at(values.loc[control, metric]) for control in controls]
    plot = drawn([points], f"{heading}, sampled by {sampler}", "", height=ROW_HEIGHT * len(rows) + MARGINS, shapes=shapes)
    sentence = grid_sentence(rows, values, sampler, metric)
    return View((place, sampler, heading), plot, sentence, page_ablation_table(rows, values, metric, provenance))


def line_at(x: float) -> dict[str, Any]:
    return {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": x, "x1": x, "line": {"dash": "dot", "width": 1}}


def grid_sentence(rows: list[Row], values: pd.DataFrame, sampler: str, metric: str) -> str:
    best = min(rows, key=lambda row: values.loc[row.name, metric])
    said = f"{undirected(heading_of(metric)[0])} when sampled by {sampler}, {len(rows)} models. "
    said += f"Lowest: {model_label(best)}, {number(values.loc[best.name, metric], 4)}"
    if best.control and best.control != best.name:
        gap, low, high = (values.loc[best.name, f"{metric}_from_control{end}"] for end in ("", "_low", "_high"))
        said += f"; paired difference from {best.control} {interval(gap, low, high, 4)}"
    return said + "."


def mechanism(evidence: Evidence, provenance: Provenance) -> Figure:
    """σ²_Δ against the quality lost, one point a model, by place, metric, Δ and measure; the largest Δ first."""
    fits = evidence.results.fits
    assert fits is not None
    ordered = fits[fits["metric"].isin(SHOWN)].sort_values("delta", ascending=False, kind="stable")
    ordered = ordered.sort_values("metric", key=lambda metrics: metrics.map(SHOWN.index), kind="stable")
    views = [mechanism_view(evidence, fit) for _, fit in ordered.iterrows()]
    return Figure("mechanism", ["drawn by", "quality lost", "Δ", "measure"], views)


def mechanism_view(evidence: Evidence, fit: pd.Series) -> View:
    place = Place(*fit[list(Place._fields)])
    rows = compared_rows(evidence.experiment)[place]
    features = features_at(evidence, place, fit.delta)
    heading, measured = heading_of(fit.metric)[0], [features.loc[model_label(row), fit.measure] for row in rows]
    lost = [evidence.values.loc[row.name, fit.metric] for row in rows]
    points = go.Scatter(
        x=measured, y=lost, mode="markers+text", text=[model_label(row) for row in rows], showlegend=False,
        textposition="top center", textfont={"size": 10}, marker={"size": 9},
        meta={"kinds": [row.role for row in rows], "kind": "muted"},
        hovertemplate="<b>%{text}</b><br>%{x:.4g}, %{y:.4f}<extra></extra>",
    )  # fmt: skip
    plot = drawn([points], f"{MEASURES[fit.measure]}, Δ = {fit.delta}", f"{heading}, {fit.sampler}")
    cells = []
    for row, variance, distance in zip(rows, measured, lost, strict=True):
        tip = features_tip(evidence, features.loc[model_label(row)], row)
        numbers = [Cell(number(variance), variance, tip), Cell(number(distance, 4), distance, tip)]
        cells.append([Cell(model_label(row), model_label(row), kind=row.role), *numbers])
    table = Table(["recipe", MEASURES[fit.measure], heading], cells)
    return View((str(place), heading, str(fit.delta), MEASURES[fit.measure]), plot, fit_sentence(fit), table)


def features_at(evidence: Evidence, place: Place, delta: int) -> pd.DataFrame:
    """Mean over blocks at one Δ, by recipe."""
    table = evidence.results.mechanism
    assert table is not None
    here = (table["backbone"] == place.backbone) & (table["dataset"] == place.dataset)
    return table[here & (table["block"] == "all") & (table["delta"] == delta)].set_index("recipe")


def fit_sentence(fit: pd.Series) -> str:
    said = f"R² = {interval(fit.r2, fit.r2_low, fit.r2_high, 2)}, of a left-out model {number(fit.r2_left_out, 2)}; "
    return f"{said}rank correlation {number(fit.spearman, 2)}; {fit.n_models} models sampled by {fit.sampler}."
