"""The full tables of the rows: quality, cost, feature variance, and the runs behind them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from fcr_core.report.cells import Cell, Table, name_cell
from fcr_core.report.evidence import Evidence
from fcr_core.report.numbers import heading_of, interval, number
from fcr_core.report.provenance import Provenance


def quality_table(evidence: Evidence, provenance: Provenance, metrics: list[str]) -> Table:
    """One row a variation, real images first; value, 95 % interval, spread between seeds."""
    rows = real_rows(evidence, metrics)
    for _, row in evidence.rows.iterrows():
        cells = [quality_cell(row, metric, provenance) for metric in metrics]
        rows.append([name_cell(row["variation"], row["role"]), *cells])
    return Table(["variation", *(heading_of(metric)[0] for metric in metrics)], rows)


def real_rows(evidence: Evidence, metrics: list[str]) -> list[list[Cell]]:
    """The scores of real images, a row a backbone and data set; none where nothing of it is among the metrics."""
    rows = []
    for (backbone, dataset), floors in evidence.measured.real.items():
        name = "real images" if len(evidence.measured.real) == 1 else f"real images: {dataset} for {backbone}"
        file = evidence.paths.real(dataset, evidence.sizes[backbone])
        cells = [Cell(number(floors[m], heading_of(m)[1]), floors[m], file) if m in floors else Cell("") for m in metrics]
        if floors.index.isin(metrics).any():
            rows.append([Cell(name, name), *cells])
    return rows


def quality_cell(row: pd.Series, metric: str, provenance: Provenance) -> Cell:
    if pd.isna(row.get(metric, float("nan"))):
        return Cell("")
    tip = provenance.of(row["variation"], metric)
    if row["n_seeds"] > 1:
        tip += f"\nstandard deviation between seeds {number(row[f'{metric}_seed_sd'])}"
    text = interval(row[metric], row[f"{metric}_low"], row[f"{metric}_high"], heading_of(metric)[1])
    return Cell(text, row[metric], tip)


def cost_table(evidence: Evidence, provenance: Provenance) -> Table:
    """Passes, FLOPs, and what was measured at each batch size beside the speed-up that FLOPs allow."""
    goal = evidence.experiment.goal
    headings = ["variation", "encoder passes", "decoder passes", "UNet GFLOP an image", *[f"FLOP limit over {goal}"] * bool(goal)]
    for batch in evidence.batches:
        headings += [f"ms an image, batch {batch}", *[f"speed-up over {goal}, batch {batch}"] * bool(goal)]
        headings += [f"peak tensor MB, batch {batch}"]
    rows = []
    for _, row in evidence.rows.iterrows():
        cells = counted_cells(row, provenance, bool(goal))
        for batch in evidence.batches:
            cells += timed_cells(row, provenance, batch, bool(goal))
        rows.append([name_cell(row["variation"], row["role"]), *cells])
    return Table(headings, rows)


def counted_cells(row: pd.Series, provenance: Provenance, goal: bool) -> list[Cell]:
    digits = {"encoder_passes": 0, "decoder_passes": 0, "unet_gflops": 1} | ({"flop_limit_vs_goal": 2} if goal else {})
    tip = provenance.of_counting(row["variation"])
    return [Cell(number(row[column], places), row[column], tip) for column, places in digits.items()]


def timed_cells(row: pd.Series, provenance: Provenance, batch: int, goal: bool) -> list[Cell]:
    tip, latency, speedup = provenance.of_cost(row["variation"], batch), f"latency_ms_b{batch}", f"speedup_b{batch}"
    cells = [Cell(interval(row[latency], row[f"{latency}_q25"], row[f"{latency}_q75"], 0), row[latency], tip)]
    if goal:
        cells.append(Cell(interval(row[speedup], row[f"{speedup}_low"], row[f"{speedup}_high"], 2), row[speedup], tip))
    memory = row[f"peak_tensor_mb_b{batch}"]
    return [*cells, Cell(number(memory, 1), memory, tip)]


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
