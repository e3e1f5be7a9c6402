"""σ²_Δ over Δ of every model, raw and over the features' power, as it is and against the base model."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Any

import plotly.graph_objects as go

from fcr_core.experiment.cell import BASE
from fcr_core.report.cells import Cell, Table
from fcr_core.report.evidence import Evidence
from fcr_core.report.numbers import VARIANCE, VARIANCES, interval, number, percent
from fcr_core.report.provenance import Provenance
from fcr_core.report.views import SYMBOLS, Figure, View, bars, drawn
from fcr_core.statistics.intervals import Interval
from fcr_core.tables.measurements import level
from fcr_core.tables.places import model_label, place_of

LOG_DELTA: dict[str, Any] = {"xaxis_type": "log", "xaxis_tickvals": [1, 2, 5, 10, 20, 50, 100, 200, 500]}
AXES: dict[str, dict[str, Any]] = {
    "level": {"yaxis_type": "log", "yaxis_dtick": 1, **LOG_DELTA},
    "change": {"yaxis_tickformat": "+.0%", **LOG_DELTA},
}

# By model, σ²_Δ at every Δ.
Curves = dict[str, list[Interval]]


def variance(evidence: Evidence, provenance: Provenance) -> Figure:
    """By backbone and data set: σ²_Δ and its change against the published weights."""
    views = [
        view_of(evidence, provenance, place, models, *choice)
        for place, models in models_by_place(evidence).items()
        for choice in ((k, s) for k in VARIANCES for s in AXES if s == "level" or BASE in models)
    ]
    return Figure("variance", ["drawn by", "measure", "shown as"], views)


def models_by_place(evidence: Evidence) -> dict[str, dict[str, str]]:
    """By backbone and data set the first row of each model: rows with the same weights have the same features."""
    found: dict[str, dict[str, str]] = {}
    for row in evidence.experiment.rows:
        place = place_of(row)
        found.setdefault(f"{place.backbone} on {place.dataset}", {}).setdefault(model_label(row), row.name)
    return found


def view_of(evidence: Evidence, provenance: Provenance, place: str, models: dict[str, str], kind: str, shown: str) -> View:
    deltas = sorted({int(found[2]) for column in evidence.variances if (found := VARIANCE.fullmatch(column))})
    measured = {"level": level_of, "change": change_of}[shown]
    text = {"level": number, "change": percent}[shown]
    base = models.get(BASE)
    curves = {model: [measured(evidence, row, base, f"{kind}_d{delta}") for delta in deltas] for model, row in models.items()}
    roles = {model: "plain" if model == BASE else evidence.role(row) for model, row in models.items()}
    title = VARIANCES[kind] if shown == "level" else f"Change of {VARIANCES[kind]} against the base model"
    plot = drawn(lines(deltas, curves, roles, text), "Δ, training timesteps", title, **AXES[shown])
    rows = []
    for index, delta in enumerate(deltas):
        cells = [cell(curve[index], text, provenance.of(models[model], f"{kind}_d{delta}")) for model, curve in curves.items()]
        rows.append([Cell(str(delta), delta), *cells])
    said = [
        f"{model} {text(curve[0].value)} to {text(curve[-1].value)}"
        for model, curve in curves.items()
        if (shown, model) != ("change", BASE)
    ]
    sentence = f"{title}, from Δ = {deltas[0]} to Δ = {deltas[-1]}: {'; '.join(said)}."
    choice = {"level": "values", "change": "change against the base model"}[shown]
    return View((place, VARIANCES[kind], choice), plot, sentence, Table(["Δ", *curves], rows))


def level_of(evidence: Evidence, row: str, base: str | None, metric: str) -> Interval:
    return level(evidence.measured.arms[row], metric)


def change_of(evidence: Evidence, row: str, base: str | None, metric: str) -> Interval:
    """Over the base model's, −1, paired, by a jackknife over groups of prompts."""
    assert base is not None
    arms = evidence.measured.arms
    return arms[row].jackknifed(metric).relative_change(arms[base].jackknifed(metric))


def cell(measured: Interval, text: Callable[[float], str], tip: str) -> Cell:
    return Cell(interval(measured.value, measured.low, measured.high, written=text), measured.value, tip)


def lines(deltas: list[int], curves: Curves, roles: dict[str, str], text: Callable[[float], str]) -> list[go.Scatter]:
    """One line a model, with the interval of each point."""
    traces = []
    for symbol, (model, curve) in zip(cycle(SYMBOLS), curves.items(), strict=False):
        values = [point.value for point in curve]
        style: dict[str, Any] = {"mode": "lines+markers", "marker": {"symbol": symbol, "size": 7}, "line": {"width": 1.5}}
        traces.append(go.Scatter(
            x=deltas, y=values, name=model, **style,
            text=[interval(point.value, point.low, point.high, written=text) for point in curve],
            error_y=bars(values, [point.low for point in curve], [point.high for point in curve]),
            meta={"kind": roles[model]},
            hovertemplate=f"<b>{model}</b>, Δ = %{{x}}<br>%{{text}}<extra></extra>",
        ))  # fmt: skip
    return traces
