"""An experiment as a Markdown page: what a person wants to see of its many numbers."""

from __future__ import annotations

import pandas as pd

from fcr_core.experiment.experiment import Experiment
from fcr_core.metrics.registry import METRICS
from fcr_core.tables.formatting import interval, number
from fcr_core.tables.measured import Measured
from fcr_core.tables.metric_columns import heading, key_of
from fcr_core.tables.places import by_place
from fcr_core.tables.verdicts import CRITERIA, meeting_all

EXPLANATION = """
Brackets: 95 % intervals. The network that a metric uses stands beside its name: only a Fréchet distance of Inception-v3 is
FID, and "PCA-64" is taken after PCA to 64 dimensions. Intervals of what judges whole sets come from a jackknife over 20 groups
of prompts, the others from Student's t over prompts, corrected for skewness, after averaging seeds. The reference images are
held fixed. Latency: median of interleaved repeats, quartiles in brackets; a speed-up is the geometric mean of the ratios within
a round, "limit" the one that FLOPs alone allow. Rows that differ in weights alone share one measurement of cost.
"""


def page(measured: Measured, rows: pd.DataFrame, criteria: pd.DataFrame) -> str:
    """The page: what was drawn, quality, cost, verdicts. `rows` are `fcr_core.tables.measurement_table.wide`."""
    experiment = measured.experiment
    parts = [f"# {experiment.title}", introduction(experiment, rows), quality(rows)]
    if experiment.cost:
        parts += [EXPLANATION.strip(), cost(rows, min(experiment.cost.batches), experiment.goal)]
    else:
        parts.append(EXPLANATION.split(" Latency:")[0].strip())
    if len(criteria):
        parts.append(verdicts(criteria, CRITERIA[str(experiment.criteria)].title, str(experiment.goal)))
    return "\n\n".join(parts) + "\n"


def introduction(experiment: Experiment, rows: pd.DataFrame) -> str:
    """Say what the rows were drawn by and from, and how many images each."""
    places = "; ".join(map(str, by_place(experiment.rows)))
    said = [f"Drawn by {places}.", f"n = {sizes(rows)}."]
    if "n_twin_images" in rows:
        said.append(f"Distances of fine-tuned rows to their own uncached output on {rows['n_twin_images'].min():.0f} images.")
    return " ".join(said)


def sizes(rows: pd.DataFrame) -> str:
    """`300 images a row: 100 prompts x 3 seeds`; a range where rows differ."""
    images, prompts, seeds = (
        f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"
        for low, high in ((rows[f"n_{what}"].min(), rows[f"n_{what}"].max()) for what in ("images", "prompts", "seeds"))
    )
    return f"{images} images a row: {prompts} prompts x {seeds} seeds"


def quality(rows: pd.DataFrame) -> str:
    """The metrics of the page with their intervals; first what real images score."""
    real = rows.drop_duplicates(["backbone", "dataset"])
    shown = pd.DataFrame({"variation": [*real_names(real), *rows["variation"]]})
    columns = {column: heading(column) for column in shown_columns(rows)}
    columns |= {"feature_variance_d10": ("σ²_Δ at Δ = 10 ↓", 6)} if "feature_variance_d10" in rows else {}
    for column, (title, digits) in columns.items():
        floors = real.get(f"{column}_real", pd.Series(float("nan"), real.index))
        cells = [interval(row[column], row[f"{column}_low"], row[f"{column}_high"], digits) for _, row in rows.iterrows()]
        shown[title] = [*("" if pd.isna(floor) else number(floor, digits) for floor in floors), *cells]
    if not any(f"{column}_real" in rows for column in columns):
        shown = shown.iloc[len(real) :]
    return "## Quality\n\n" + shown.to_markdown(index=False, disable_numparse=True)


def real_names(real: pd.DataFrame) -> list[str]:
    """`*real images*`, with the data set and backbone where there are several."""
    if len(real) == 1:
        return ["*real images*"]
    return [f"*real images: {row.dataset} for {row.backbone}*" for row in real.itertuples()]


def shown_columns(table: pd.DataFrame) -> list[str]:
    """List the metrics of the page, in the order of the registry; all others stand in the CSV."""
    order = [key for key, metric in METRICS.items() if metric.digits is not None]
    return sorted((column for column in table if key_of(column) in order), key=lambda column: order.index(str(key_of(column))))


def cost(rows: pd.DataFrame, batch: int, goal: str | None) -> str:
    shown = pd.DataFrame({"variation": rows["variation"]})
    shown["encoder / decoder passes"] = [f"{r.encoder_passes:.0f} / {r.decoder_passes:.0f}" for r in rows.itertuples()]
    shown["UNet GFLOPs an image"] = rows["unet_gflops"].map("{:.1f}".format)
    columns = [f"latency_ms_b{batch}", f"latency_ms_b{batch}_q25", f"latency_ms_b{batch}_q75"]
    shown[f"ms an image, batch {batch}"] = [interval(value, low, high, 0) for value, low, high in rows[columns].to_numpy()]
    if f"speedup_b{batch}" in rows:
        columns = [f"speedup_b{batch}", f"speedup_b{batch}_low", f"speedup_b{batch}_high"]
        shown[f"speed-up over {goal}"] = [interval(value, low, high, 2) for value, low, high in rows[columns].to_numpy()]
        shown["FLOP limit of it"] = rows["flop_limit_vs_goal"].map("{:.2f}".format)
    shown["peak tensor MB"] = rows[f"peak_tensor_mb_b{batch}"].map("{:.1f}".format)
    return "## Cost\n\n" + shown.to_markdown(index=False, disable_numparse=True)


def verdicts(criteria: pd.DataFrame, title: str, goal: str) -> str:
    """Who meets everything, then each row's verdicts; those in brackets are reported beside, not asked for."""
    met = ", ".join(meeting_all(criteria)) or "no row"
    note = "" if criteria["asked"].all() else " Verdicts in brackets are reported beside, not asked for."
    said = f"Against {goal}, σ²_Δ against the published weights, where nothing else is named.{note} All met by: {met}."
    shown = criteria[["variation", "criterion", "claim", "verdict", "against"]].copy()
    shown["verdict"] = [r.verdict if r.asked else f"({r.verdict})" for r in criteria.itertuples()]
    cells = [interval(r.value, r.lower_bound, r.upper_bound) for r in criteria.itertuples()]
    shown.insert(3, "measured (one-sided 95 % bounds)", cells)
    return f"## {title}\n\n{said}\n\n{shown.to_markdown(index=False, disable_numparse=True)}"
