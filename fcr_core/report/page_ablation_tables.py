"""The ablation grid in tables: distances, features, and how well the one predicts the other."""

from __future__ import annotations

import pandas as pd

from fcr_core.report.cells import Cell, Table
from fcr_core.report.numbers import heading_of, interval, number, percent
from fcr_core.report.provenance import sizes
from fcr_core.report.results import Ablations


def page_ablation_table(ablations: Ablations, sampler: str, metric: str) -> Table:
    """One row a recipe: distance, and its paired difference from the control's."""
    here = ablations.table[(ablations.table["sampler"] == sampler) & (ablations.table["metric"] == metric)]
    rows = []
    for row in here.itertuples():
        tip = cells_tip(ablations, row.recipe, row.n_prompts, row.n_seeds, "table")
        gap = interval(row.difference, row.difference_low, row.difference_high, 4) if pd.notna(row.difference) else ""
        rows.append([
            Cell(row.recipe, row.recipe), Cell(interval(row.value, row.low, row.high, 4), row.value, tip),
            Cell(gap, row.difference, tip), Cell(row.against, row.against),
        ])  # fmt: skip
    return Table(["recipe", heading_of(metric)[0], "paired difference", "from"], rows)


def page_mechanism_table(ablations: Ablations) -> Table:
    """One row a (recipe, Δ), mean over blocks: σ²_Δ raw and relative, the norm, and their change against the control."""
    here = ablations.mechanism[ablations.mechanism["block"] == "all"]
    counts = {row.recipe: (row.n_prompts, row.n_seeds) for row in ablations.table.itertuples()}
    rows = []
    for _, row in here.iterrows():
        prompts, seeds = counts[row["recipe"]]
        tip = cells_tip(ablations, row["recipe"], prompts, seeds, "mechanism")
        cells = [Cell(row["recipe"], row["recipe"]), Cell(str(row["delta"]), row["delta"])]
        for measure in ("variance", "relative", "norm"):
            low, change, high = (row[f"{measure}_change{end}"] for end in ("_low", "", "_high"))
            cells.append(Cell(number(row[measure]), row[measure], tip))
            cells.append(Cell(f"{percent(change)} [{percent(low)}, {percent(high)}]", change, tip))
        rows.append(cells)
    headings = ["recipe", "Δ", "σ²_Δ", "change", "σ²_Δ over power", "change", "norm", "change"]
    return Table(headings, rows)


def page_fits_table(ablations: Ablations) -> Table:
    """Does σ²_Δ predict the quality lost? One row a (Δ, measure, metric)."""
    tip = f"{ablations.files['fits']}\nfrom {ablations.files['table']} and {ablations.files['mechanism']}"
    rows = []
    for row in ablations.fits.itertuples():
        tips = f"{row.n_models} models sampled by {row.sampler}\n{tip}"
        rows.append([
            Cell(row.metric, row.metric), Cell(str(row.delta), row.delta), Cell(row.measure, row.measure),
            Cell(interval(row.r2, row.r2_low, row.r2_high, 2), row.r2, tips),
            Cell(number(row.r2_left_out, 2), row.r2_left_out, tips),
            Cell(interval(row.r, row.r_low, row.r_high, 2), row.r, tips),
            Cell(number(row.spearman, 2), row.spearman, tips),
        ])  # fmt: skip
    return Table(["metric", "Δ", "measure", "R²", "R², left out", "r", "rank correlation"], rows)


def cells_tip(ablations: Ablations, recipe: str, prompts: int, seeds: int, table: str) -> str:
    files = "\n".join(ablations.cells[recipe])
    return f"{sizes(prompts * seeds, prompts, seeds)}\n{ablations.files[table]}\nfrom {files}"
