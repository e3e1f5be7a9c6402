"""Quality against latency, by metric and batch size."""

from __future__ import annotations

import math
from itertools import cycle
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from fcr_core.report.cells import Cell, Table, name_cell
from fcr_core.report.evidence import Evidence
from fcr_core.report.numbers import heading_of, interval, number, undirected
from fcr_core.report.provenance import Provenance
from fcr_core.report.views import SYMBOLS, Figure, View, bars, drawn
from fcr_core.tables.markdown import shown_columns
from fcr_core.tables.places import Place

# Rows of equal cost have the same latency: they are drawn side by side, by this share of the axis.
DODGE = 0.012


def interactive_tradeoff(evidence: Evidence, provenance: Provenance) -> Figure:
    """Quality against latency by place, metric and batch size, with the latency that each row's FLOPs allow."""
    views = [
        tradeoff_view(evidence, provenance, place, metric, batch)
        for place in evidence.results.places
        for batch in evidence.batches
        for metric in shown_columns(evidence.results.at(place))
    ]
    return Figure("tradeoff", ["drawn by", "metric", "images a call"], views)


def tradeoff_view(evidence: Evidence, provenance: Provenance, place: Place, metric: str, batch: int) -> View:
    table, latency, (heading, digits) = evidence.results.at(place), f"latency_ms_b{batch}", heading_of(metric)
    allowed = allowed_latency(table, latency, evidence.results.uncached(place))
    widest = table[f"{latency}_q75"].max()
    beside = table.groupby(latency).cumcount() * DODGE * widest
    traces, rows = [flop_ticks(table, metric, allowed)], []
    for symbol, shift, limit, (_, row) in zip(cycle(SYMBOLS), beside, allowed, table.iterrows(), strict=False):
        quality = interval(row[metric], row[f"{metric}_low"], row[f"{metric}_high"], digits)
        time = interval(row[latency], row[f"{latency}_q25"], row[f"{latency}_q75"], 0)
        traces.append(point(row, latency, metric, symbol, shift, f"{quality}<br>{time} ms{allowance(limit)}"))
        tip = provenance.of_cost(row["variation"], batch)
        cells = [Cell(quality, row[metric], provenance.of(row["variation"], metric)), Cell(time, row[latency], tip)]
        rows.append([name_cell(row["variation"], row["role"]), *cells, allowed_cell(limit, tip)])
    floor = table.get(f"{metric}_real", pd.Series([float("nan")])).iloc[0]
    plot = drawn(traces, f"ms an image, batch {batch}", heading, **floor_line(floor))
    plot["layout"]["xaxis"]["range"] = [0, 1.08 * widest]
    numbers = Table(["variation", heading, "ms an image", "ms that FLOPs allow"], rows)
    sentence = tradeoff_sentence(table, metric, batch, evidence.results.goal(place))
    return View((str(place), heading, str(batch)), plot, sentence, numbers)


def allowed_latency(table: pd.DataFrame, latency: str, uncached: str | None) -> pd.Series:
    """Latency that each row's FLOPs allow at the uncached row's speed; NaN where there is no such row."""
    if uncached is None:
        return pd.Series(float("nan"), table.index)
    return table.set_index("variation").loc[uncached, latency] / table["flop_limit_vs_uncached"]


def allowed_cell(limit: float, tip: str) -> Cell:
    return Cell("" if math.isnan(limit) else number(limit, 0), limit, tip)


def allowance(limit: float) -> str:
    return "" if math.isnan(limit) else f", FLOPs allow {limit:.0f}"


def point(row: pd.Series, latency: str, metric: str, symbol: str, shift: float, told: str) -> go.Scatter:
    """A variation, with quartiles of its latency and the interval of its quality; drawn `shift` ms to the right."""
    x, y, name = row[latency], row[metric], row["variation"]
    return go.Scatter(
        x=[x + shift], y=[y], name=name, mode="markers", marker={"symbol": symbol, "size": 10}, meta={"kind": row["role"]},
        error_x=bars([x], [row[f"{latency}_q25"]], [row[f"{latency}_q75"]]),
        error_y=bars([y], [row[f"{metric}_low"]], [row[f"{metric}_high"]]),
        hovertemplate=f"<b>{name}</b><br>{told}<extra></extra>",
    )  # fmt: skip


def flop_ticks(table: pd.DataFrame, metric: str, allowed: pd.Series) -> go.Scatter:
    """A tick at each point's height: the latency that its FLOPs allow at the uncached row's speed."""
    return go.Scatter(
        x=allowed.tolist(), y=table[metric].tolist(), mode="markers", name="latency its FLOPs allow", meta={"kind": "muted"},
        text=table["variation"].tolist(), hovertemplate="%{text}: FLOPs allow %{x:.0f} ms<extra></extra>",
        marker={"symbol": "line-ns-open", "size": 13, "line": {"width": 2}},
    )  # fmt: skip


def floor_line(floor: float) -> dict[str, Any]:
    """Draw the score of real images as a dotted line."""
    if math.isnan(floor):
        return {}
    line = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": floor, "y1": floor, "line": {"dash": "dot", "width": 1}}
    note = {
        "text": "real images",
        "xref": "paper",
        "x": 1,
        "y": floor,
        "yanchor": "bottom",
        "xanchor": "right",
        "showarrow": False,
    }
    return {"shapes": [line], "annotations": [note]}


def tradeoff_sentence(table: pd.DataFrame, metric: str, batch: int, goal: str | None) -> str:
    heading, digits = heading_of(metric)
    table = table.set_index("variation")
    best = table[metric].idxmax() if "↑" in heading else table[metric].idxmin()
    fastest = table[f"latency_ms_b{batch}"].idxmin()
    points = {"Best": best, "Fastest": fastest} | ({"The quality to keep": goal} if goal else {})
    said = [
        f"{what}: {name}, {number(table.loc[name, metric], digits)} at {table.loc[name, f'latency_ms_b{batch}']:.0f} ms an image"
        for what, name in points.items()
    ]
    return f"{undirected(heading)} ({'higher' if '↑' in heading else 'lower'} is better). {'. '.join(said)}."
