"""A table as a Markdown page: what a person wants to see of its many columns."""

from __future__ import annotations

import pandas as pd

from fcr_core.metrics.registry import METRICS
from fcr_core.tables.formatting import interval, number
from fcr_core.tables.metric_columns import heading, key_of

EXPLANATION = """
Brackets: 95 % intervals. The network that a metric uses stands beside its name: only a Fréchet distance of Inception-v3 is
FID, and "PCA-64" is taken after PCA to 64 dimensions. Intervals of what judges whole sets come from a jackknife over 20 groups
of prompts, the others from Student's t over prompts, corrected for skewness, after averaging seeds. The reference images are
held fixed. Latency: median of interleaved repeats, quartiles in brackets; a speed-up is the geometric mean of the ratios within
a round, "limit" the one that FLOPs alone allow. Rows that differ in weights alone share one measurement of cost.
"""


def page(title: str, table: pd.DataFrame, criteria: pd.DataFrame, real: pd.DataFrame, goal: str) -> str:
    """The page: quality, cost, verdicts. `real` holds the floors and real values of `measure_real`."""
    batch = min(int(column.split("_b")[1]) for column in table if column.startswith("speedup_b") and column.count("_") == 1)
    sizes = table.iloc[0]
    intro = f"n = {sizes.n_images} images a row: {sizes.n_prompts} held-out prompts x {sizes.n_seeds} seeds; "
    intro += f"distances of fine-tuned rows to their own uncached output on {table['n_twin_images'].min()} of them."
    parts = [
        f"# {title}",
        intro,
        quality(table, real),
        EXPLANATION.strip(),
        cost(table, batch, goal),
        verdicts(criteria, goal),
    ]
    return "\n\n".join(parts) + "\n"


def quality(table: pd.DataFrame, real: pd.DataFrame) -> str:
    floors = real.groupby("metric")["value"].mean()
    shown = pd.DataFrame({"variation": ["*real images*", *table["variation"]]})
    columns = {column: heading(column) for column in shown_columns(table)} | {"feature_variance_d10": ("σ²_Δ at Δ = 10 ↓", 6)}
    for column, (title, digits) in columns.items():
        floor = number(floors[column], digits) if column in floors else ""
        cells = [interval(row[column], row[f"{column}_low"], row[f"{column}_high"], digits) for _, row in table.iterrows()]
        shown[title] = [floor, *cells]
    return "## Quality\n\n" + shown.to_markdown(index=False, disable_numparse=True)


def shown_columns(table: pd.DataFrame) -> list[str]:
    """List the metrics of the page, in the order of the registry; all others stand in the CSV."""
    order = [key for key, metric in METRICS.items() if metric.digits is not None]
    return sorted((column for column in table if key_of(column) in order), key=lambda column: order.index(str(key_of(column))))


def cost(table: pd.DataFrame, batch: int, goal: str) -> str:
    shown = pd.DataFrame({"variation": table["variation"]})
    shown["encoder / decoder passes"] = [f"{r.encoder_passes} / {r.decoder_passes}" for r in table.itertuples()]
    shown["UNet GFLOPs an image"] = table["unet_gflops"].map("{:.1f}".format)
    columns = [f"latency_ms_b{batch}", f"latency_ms_b{batch}_q25", f"latency_ms_b{batch}_q75"]
    shown[f"ms an image, batch {batch}"] = [interval(value, low, high, 0) for value, low, high in table[columns].to_numpy()]
    columns = [f"speedup_b{batch}", f"speedup_b{batch}_low", f"speedup_b{batch}_high"]
    shown[f"speed-up over {goal}"] = [interval(value, low, high, 2) for value, low, high in table[columns].to_numpy()]
    shown["FLOP limit of it"] = table["flop_limit_vs_goal"].map("{:.2f}".format)
    shown["peak tensor MB"] = table[f"peak_tensor_mb_b{batch}"].map("{:.1f}".format)
    return "## Cost\n\n" + shown.to_markdown(index=False, disable_numparse=True)


def verdicts(criteria: pd.DataFrame, goal: str) -> str:
    shown = criteria[["variation", "criterion", "claim", "verdict"]].copy()
    cells = [interval(r.value, r.lower_bound, r.upper_bound, 3) for r in criteria.itertuples()]
    shown.insert(3, "measured (one-sided 95 % bounds)", cells)
    title = f"## Success criteria\n\nAgainst {goal}; the feature variance against the base model.\n\n"
    return title + shown.to_markdown(index=False, disable_numparse=True)
