"""Interactive figures: what can be chosen of each, and for every choice a plot, a sentence and a table of its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from fcr_core.report.cells import Table

SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross", "pentagon", "x", "star", "triangle-down", "hexagon"]


@dataclass(frozen=True)
class View:
    """One choice of a figure's selectors, in their order; `plot` is what plotly draws."""

    choice: tuple[str, ...]
    plot: dict[str, Any]
    sentence: str
    table: Table


@dataclass(frozen=True)
class Figure:
    """`selectors`: what can be chosen, by name; the first view is shown first."""

    id: str
    selectors: list[str]
    views: list[View]

    @property
    def options(self) -> dict[str, list[str]]:
        """The values of each selector."""
        chosen = zip(*(view.choice for view in self.views), strict=True)
        return {name: list(dict.fromkeys(values)) for name, values in zip(self.selectors, chosen, strict=True)}


def drawn(traces: list[go.Scatter], x: str, y: str, **layout: Any) -> dict[str, Any]:
    """Traces and axes for plotly; colours are the page's, by each trace's `meta.kind`."""
    figure = go.Figure(traces)
    figure.update_layout(template="none", xaxis_title_text=x, yaxis_title_text=y, **layout)
    plot = figure.to_plotly_json()
    return {"data": plot["data"], "layout": {key: value for key, value in plot["layout"].items() if key != "template"}}


def bars(values: list[float], lows: list[float], highs: list[float]) -> dict[str, Any]:
    """Error bars from each low to its high."""
    up = [high - value for value, high in zip(values, highs, strict=True)]
    down = [value - low for value, low in zip(values, lows, strict=True)]
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "thickness": 1.2, "width": 3}
