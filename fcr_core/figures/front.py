"""Distance to the uncached output against latency: solvers as lines, caches as points, and the front of both."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, ScalarFormatter

from fcr_core.experiment.row import Row
from fcr_core.experiment.sampler import SOLVERS
from fcr_core.figures.colours import COLOURS, SERIES
from fcr_core.tables.metric_columns import label
from fcr_core.tables.places import Place
from fcr_core.tables.results import Results
from fcr_core.tables.verdicts import meeting_all

PANELS = ("latent_mse_own", "st_lpips_alex_own")
LINES = [("#000000", "-"), ("#777777", "--"), ("#777777", ":"), ("#000000", "-.")]
KEY = "numbers: stride, or steps of a solver; filled = hold, hollow = linear; diamond = fewer decoders than steps a group"


def figure(results: Results) -> Figure:
    """One panel a metric and place, log-log. A line joins the best distance at each latency.

    Rings mark the goal and the caches that beat it.
    """
    places = results.places
    drawn, axes = plt.subplots(len(places), 2, figsize=(15, 0.5 + 6 * len(places)), layout="constrained", squeeze=False)
    for line, place in zip(axes, places, strict=True):
        for axis, metric in zip(line, PANELS, strict=True):
            draw_panel(axis, results, place, metric)
            axis.set_title(results.titled(place, f"{label(metric)} (lower is better)"))
        line[-1].legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=9)
    row = results.rows.iloc[0]
    drawn.suptitle(f"{row.n_prompts:.0f} held-out prompts x {row.n_seeds:.0f} seeds, 95 % intervals\n{KEY}", fontsize=11)
    return drawn


def draw_panel(axis: Axes, results: Results, place: Place, metric: str) -> None:
    assert results.experiment.cost is not None
    latency = f"latency_ms_b{results.experiment.cost.shown}"
    rows, uncached = results.at(place).set_index("variation"), results.uncached(place)
    points = rows[rows.index != uncached]
    draw_points(axis, [row for row in results.places[place] if row.name != uncached], points, metric, latency)
    front = pareto_front(points, metric, latency)
    axis.plot(front[latency], front[metric], color="0.85", linewidth=6, zorder=0, label="front")
    for names, colour, said in rings(results, place):
        ringed = rows.loc[names]
        axis.scatter(ringed[latency], ringed[metric], s=220, facecolors="none", edgecolors=colour, linewidth=2, label=said)
    if uncached:
        axis.axvline(rows.loc[uncached, latency], color="0.6", linestyle=":", label=uncached)
    axis.set(xscale="log", yscale="log", xlabel=f"ms an image at batch {results.experiment.cost.shown} (median)")
    axis.set_ylim(points[metric].min() / 2, points[metric].max() * 2)
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(ScalarFormatter())
    axis.minorticks_off()


def rings(results: Results, place: Place) -> list[tuple[list[str], str, str]]:
    """Names of rows with a ring, its colour and what it says: the goal, and what caches and meets all criteria."""
    goal, met = results.goal(place), meeting_all(results.criteria)
    better = [row.name for row in results.places[place] if row.cached and row.name in met]
    return [
        ([goal] if goal else [], "black", f"the goal, {goal}"),
        (better, COLOURS["control"], "cached, and meets all criteria"),
    ]


def family_of(row: Row) -> str:
    """Rows that are drawn alike: a solver at any number of steps, or a kind of cache at any stride.

    A solver's family is a line.
    """
    sampler, label = row.cell.sampler, row.cell.model.label
    plan = sampler.plan
    kind = f"{'DeepCache' if plan.live else 'FD'} cut {plan.cut}" if plan else f"{SOLVERS[sampler.scheduler].title}-N"
    return f"{label} {kind}" if label else kind


def draw_points(axis: Axes, rows: Iterable[Row], table: pd.DataFrame, metric: str, latency: str) -> None:
    """Every row with its interval and its number; solvers joined by a line."""
    colours, lines = cycle(SERIES), cycle(LINES)
    families: dict[str, list[Row]] = {}
    for row in rows:
        families.setdefault(family_of(row), []).append(row)
    for family, members in families.items():
        solver = not members[0].cached
        colour, line = next(lines) if solver else (next(colours), "none")
        # An empty line of its own for the legend: points differ in marker and fill.
        axis.plot([], [], color=colour, linestyle=line, marker="." if solver else "o", label=family)
        ordered = table.loc[[row.name for row in members]].sort_values(latency)
        axis.plot(ordered[latency], ordered[metric], color=colour, linestyle=line, marker="." if solver else "", zorder=2)
        for row in members:
            draw_point(axis, row, table.loc[row.name], metric, latency, colour)


def draw_point(axis: Axes, row: Row, values: pd.Series, metric: str, latency: str, colour: str) -> None:
    x, y, plan = values[latency], values[metric], row.cell.sampler.plan
    error = [[y - values[f"{metric}_low"]], [values[f"{metric}_high"] - y]]
    marker = ("o" if plan.nodes is None else "D") if plan else "."
    fill = "none" if plan and plan.reuse == "linear" else "full"
    axis.errorbar(x, y, error, color=colour, linewidth=0.6, marker=marker, markersize=5, fillstyle=fill)
    number = plan.keys.name if plan else str(row.cell.sampler.steps)
    axis.annotate(number, (x, y), (4, 3), textcoords="offset points", fontsize=7, color=colour)


def pareto_front(table: pd.DataFrame, metric: str, latency: str) -> pd.DataFrame:
    """The rows that no row is both faster than and closer than, by latency.

    >>> table = pd.DataFrame({"ms": [1, 2, 3, 4], "d": [4.0, 5.0, 2.0, 3.0]})
    >>> pareto_front(table, "d", "ms")["ms"].tolist()
    [1, 3]
    """
    ordered = table.sort_values(latency)
    return ordered[ordered[metric] == ordered[metric].cummin()].drop_duplicates(metric)
