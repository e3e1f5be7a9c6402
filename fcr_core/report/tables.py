"""The full tables of the rows: quality, cost, feature variance, and the runs behind them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from fcr_core.report.cells import Cell, Table, name_cell
from fcr_core.report.numbers import heading_of, interval, number
from fcr_core.report.provenance import Provenance
from fcr_core.report.results import Results


def metrics_of(table: pd.DataFrame) -> list[str]:
    """The metrics of the table in its order: those with an interval and a difference from the goal."""
    return [column.removesuffix("_delta_low") for column in table if column.endswith("_delta_low")]


def quality_table(results: Results, provenance: Provenance, metrics: list[str]) -> Table:
    """One row a variation, real images first; value, 95 % interval, spread between seeds."""
    floors = results.real.groupby("metric")["value"].mean()
    real = [
        Cell(number(floors[m], heading_of(m)[1]), floors[m], results.files["real"]) if m in floors else Cell("") for m in metrics
    ]
    rows = [[Cell("real images", "real images"), *real]]
    for _, row in results.table.iterrows():
        cells = []
        for metric in metrics:
            tip = provenance.of(row["variation"], metric)
            if row["n_seeds"] > 1:
                tip += f"\nstandard deviation between seeds {number(row[f'{metric}_seed_sd'])}"
            text = interval(row[metric], row[f"{metric}_low"], row[f"{metric}_high"], heading_of(metric)[1])
            cells.append(Cell(text, row[metric], tip))
        rows.append([name_cell(row["variation"]), *cells])
    if not floors.index.isin(metrics).any():
        rows = rows[1:]
    return Table(["variation", *(heading_of(metric)[0] for metric in metrics)], rows)


def cost_table(results: Results, provenance: Provenance) -> Table:
    """Passes, FLOPs, and what was measured at each batch size beside the speed-up that FLOPs allow."""
    headings = ["variation", "encoder passes", "decoder passes", "UNet GFLOP an image", f"FLOP limit over {results.goal}"]
    for batch in results.batches:
        headings += [
            f"ms an image, batch {batch}",
            f"speed-up over {results.goal}, batch {batch}",
            f"peak tensor MB, batch {batch}",
        ]
    rows = []
    for _, row in results.table.iterrows():
        tip = provenance.of_counting(row["variation"])
        counted = [(f"{row[key]:.0f}", row[key]) for key in ("encoder_passes", "decoder_passes")]
        counted += [
            (number(row["unet_gflops"], 1), row["unet_gflops"]),
            (number(row["flop_limit_vs_goal"], 2), row["flop_limit_vs_goal"]),
        ]
        cells = [Cell(text, value, tip) for text, value in counted]
        for batch in results.batches:
            tip = provenance.of_cost(row["variation"], batch)
            for column, low, high, digits in ((f"latency_ms_b{batch}", "q25", "q75", 0), (f"speedup_b{batch}", "low", "high", 2)):
                text = interval(row[column], row[f"{column}_{low}"], row[f"{column}_{high}"], digits)
                cells.append(Cell(text, row[column], tip))
            memory = row[f"peak_tensor_mb_b{batch}"]
            cells.append(Cell(number(memory, 1), memory, tip))
        rows.append([name_cell(row["variation"]), *cells])
    return Table(headings, rows)


def runs_table(runs: list[dict[str, Any]]) -> Table:
    """The runs that sampled and trained: what they ran on, from which commit, and for how long."""
    rows = []
    for run in runs:
        tip = "\n".join(f"{key}: {value}" for key, value in run["settings"].items())
        versions = ", ".join(f"{name} {version}" for name, version in run["packages"].items())
        cells = [
            Cell(f"{run['wall_seconds']:.1f}", run["wall_seconds"], tip), Cell(run["commit"][:12], run["commit"], run["commit"]),
            Cell(run["machine"], run["machine"], tip), Cell(f"Python {run['python']}, {versions}", versions, tip),
        ]  # fmt: skip
        rows.append([Cell(run["folder"], run["folder"]), *cells])
    return Table(["run", "seconds", "commit", "machine", "versions"], rows)
