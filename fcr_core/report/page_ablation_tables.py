"""An experiment's mechanism in tables: distances of each recipe, features, and how well the one predicts the other."""

from __future__ import annotations

import pandas as pd

from fcr_core.experiment.row import Row
from fcr_core.report.cells import Cell, Table
from fcr_core.report.evidence import Evidence
from fcr_core.report.numbers import heading_of, interval, number, percent, plural
from fcr_core.report.provenance import Provenance
from fcr_core.tables.mechanism import models_of
from fcr_core.tables.names import FIT, MECHANISM
from fcr_core.tables.places import model_label


def page_ablation_table(rows: list[Row], values: pd.DataFrame, metric: str, provenance: Provenance) -> Table:
    """One row a recipe: distance, and its paired difference from the control's."""
    cells = []
    for row in rows:
        here, tip = values.loc[row.name], provenance.of(row.name, metric)
        gap = here.get(f"{metric}_from_control", float("nan"))
        low, high = (here.get(f"{metric}_from_control_{end}", gap) for end in ("low", "high"))
        said = "" if pd.isna(gap) else interval(gap, low, high, 4)
        name, rival = model_label(row), row.control or ""
        shown = interval(here[metric], here[f"{metric}_low"], here[f"{metric}_high"], 4)
        distance, difference = Cell(shown, here[metric], tip), Cell(said, gap, tip)
        cells.append([Cell(name, name, kind=row.role), distance, difference, Cell(rival, rival)])
    return Table(["recipe", heading_of(metric)[0], "paired difference", "from"], cells)


def page_mechanism_table(evidence: Evidence) -> Table:
    """One row a (backbone, data set, recipe, Δ), mean over blocks: σ²_Δ raw and relative, the norm, and their changes."""
    table = evidence.results.mechanism
    assert table is not None
    first = {(*place, label): row for place, label, row in stand_ins(evidence)}
    rows = []
    for _, line in table[table["block"] == "all"].iterrows():
        row = first[line["backbone"], line["dataset"], line["recipe"]]
        tip = features_tip(evidence, line, row)
        cells = [Cell(line["recipe"], line["recipe"], kind=row.role), Cell(f"{line['backbone']} on {line['dataset']}")]
        cells.append(Cell(str(line["delta"]), line["delta"]))
        for measure in ("variance", "relative", "norm"):
            low, change, high = (line[f"{measure}_change{end}"] for end in ("_low", "", "_high"))
            said = "" if pd.isna(change) else f"{percent(change)} [{percent(low)}, {percent(high)}]"
            cells += [Cell(number(line[measure]), line[measure], tip), Cell(said, change, tip)]
        rows.append(cells)
    headings = ["recipe", "drawn by", "Δ", "σ²_Δ", "change", "σ²_Δ over power", "change", "norm", "change"]
    return Table(headings, rows)


def stand_ins(evidence: Evidence) -> list[tuple[tuple[str, str], str, Row]]:
    """The first row of each model whose features were measured: backbone and data set, label, row."""
    found = []
    for (backbone, dataset), models in models_of(evidence.experiment).items():
        rows = [row for row in evidence.experiment.of_backbone(backbone) if row.cell.setting.dataset == dataset]
        found += [
            ((backbone, dataset), label, next(row for row in rows if row.cell.model == model)) for label, model in models.items()
        ]
    return found


def page_fits_table(evidence: Evidence) -> Table:
    """Does σ²_Δ predict the quality lost? One row a (place, Δ, measure, metric)."""
    fits, tip = evidence.results.fits, f"{evidence.table(FIT)}\nfrom {evidence.table('measurements.csv')}"
    assert fits is not None
    rows = []
    for row in fits.itertuples():
        tips = f"{row.n_models} models sampled by {row.sampler}\n{tip} and {evidence.table(MECHANISM)}"
        rows.append([
            Cell(row.metric, row.metric), Cell(f"{row.backbone} on {row.dataset}, {row.scenario}"),
            Cell(str(row.delta), row.delta), Cell(row.measure, row.measure),
            Cell(interval(row.r2, row.r2_low, row.r2_high, 2), row.r2, tips),
            Cell(number(row.r2_left_out, 2), row.r2_left_out, tips),
            Cell(interval(row.r, row.r_low, row.r_high, 2), row.r, tips),
            Cell(number(row.spearman, 2), row.spearman, tips),
        ])  # fmt: skip
    return Table(["metric", "drawn by", "Δ", "measure", "R²", "R², left out", "r", "rank correlation"], rows)


def features_tip(evidence: Evidence, line: pd.Series, row: Row) -> str:
    """Name the source of a number of the table of features."""
    file = evidence.paths.block_variance(row.cell.model.uncached, row.cell.setting.dataset)
    return f"{plural(int(line['n_images']), 'real held-out image')}\n{evidence.table(MECHANISM)}\nfrom {file}"
