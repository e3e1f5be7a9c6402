"""σ²_Δ over Δ of every model, raw and over the features' power, as it is and against the base model."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Any

import plotly.graph_objects as go

from fcr_core.report.cells import Cell, Table
from fcr_core.report.numbers import VARIANCE, VARIANCES, interval, number, percent
from fcr_core.report.provenance import Provenance
from fcr_core.report.results import Results, kind_of
from fcr_core.report.views import SYMBOLS, Figure, View, bars, drawn
from fcr_core.statistics.intervals import Interval
from fcr_core.tables.exp1 import level

LOG_DELTA: dict[str, Any] = {"xaxis_type": "log", "xaxis_tickvals": [1, 2, 5, 10, 20, 50, 100, 200, 500]}
AXES: dict[str, dict[str, Any]] = {
    "level": {"yaxis_type": "log", "yaxis_dtick": 1, **LOG_DELTA},
    "change": {"yaxis_tickformat": "+.0%", **LOG_DELTA},
}

# Of each model, σ²_Δ at every Δ.
Curves = dict[str, list[Interval]]


def variance(results: Results, provenance: Provenance) -> Figure:
    """The first row of each model stands for it: rows that differ in the sampler alone have the same weights."""
    models: dict[str, str] = {}
    for name, model in results.models.items():
        models.setdefault(model, name)
    views = [view_of(results, provenance, models, *choice) for choice in ((k, s) for k in VARIANCES for s in AXES)]
    return Figure("variance", ["measure", "shown as"], views)


def view_of(results: Results, provenance: Provenance, models: dict[str, str], kind: str, shown: str) -> View:
    deltas = sorted({int(found[2]) for column in results.table if (found := VARIANCE.fullmatch(column))})
    measured = {"level": level_of, "change": change_of}[shown]
    text = {"level": number, "change": percent}[shown]
    curves = {model: [measured(results, row, f"{kind}_d{delta}") for delta in deltas] for model, row in models.items()}
    title = VARIANCES[kind] if shown == "level" else f"Change of {VARIANCES[kind]} against the base model"
    plot = drawn(lines(deltas, curves, text), "Δ, training timesteps", title, **AXES[shown])
    rows = []
    for index, delta in enumerate(deltas):
        cells = [cell(curve[index], text, provenance.of(models[model], f"{kind}_d{delta}")) for model, curve in curves.items()]
        rows.append([Cell(str(delta), delta), *cells])
    said = [
        f"{model} {text(curve[0].value)} to {text(curve[-1].value)}"
        for model, curve in curves.items()
        if (shown, model) != ("change", "base")
    ]
    sentence = f"{title}, from Δ = {deltas[0]} to Δ = {deltas[-1]}: {'; '.join(said)}."
    choice = {"level": "values", "change": "change against the base model"}[shown]
    return View((VARIANCES[kind], choice), plot, sentence, Table(["Δ", *curves], rows))


def level_of(results: Results, row: str, metric: str) -> Interval:
    return level(results.measured[row], metric)


def change_of(results: Results, row: str, metric: str) -> Interval:
    """Over the base model's, −1, paired, by a jackknife over groups of prompts."""
    base = results.measured[results.uncached].jackknifed(metric)
    return results.measured[row].jackknifed(metric).relative_change(base)


def cell(measured: Interval, text: Callable[[float], str], tip: str) -> Cell:
    return Cell(interval(measured.value, measured.low, measured.high, written=text), measured.value, tip)


def lines(deltas: list[int], curves: Curves, text: Callable[[float], str]) -> list[go.Scatter]:
    """One line a model, with the interval of each point."""
    traces = []
    for symbol, (model, curve) in zip(cycle(SYMBOLS), curves.items(), strict=False):
        values = [point.value for point in curve]
        style: dict[str, Any] = {"mode": "lines+markers", "marker": {"symbol": symbol, "size": 7}, "line": {"width": 1.5}}
        traces.append(go.Scatter(
            x=deltas, y=values, name=model, **style,
            text=[interval(point.value, point.low, point.high, written=text) for point in curve],
            error_y=bars(values, [point.low for point in curve], [point.high for point in curve]),
            meta={"kind": "plain" if model == "base" else kind_of(f"{model}-FD-")},
            hovertemplate=f"<b>{model}</b>, Δ = %{{x}}<br>%{{text}}<extra></extra>",
        ))  # fmt: skip
    return traces
