"""The table that a person opens: at most 40 columns, the metrics that criteria are about first."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from fcr_core.tables.measured import Measured
from fcr_core.tables.measurements import VARIANCE
from fcr_core.tables.metric_roles import FRECHET, IMAGE_TEXT, KID

AT_MOST = 40
NAMES = ["variation", "backbone", "dataset", "scenario", "role"]
COUNTS = ["n_images", "n_prompts", "n_seeds"]
COUNTED = ["encoder_passes", "decoder_passes", "unet_gflops", "flop_limit_vs_goal", "flop_limit_vs_uncached"]
ROLES = (FRECHET, KID, IMAGE_TEXT)
DISTANCES = ("st_lpips_alex_own", "latent_mse_own", "latent_mse_base", "st_lpips_alex_base")
DELTA = 10
# Of each metric, as long as there is room: first the first for all metrics, then the next.
PARTS = (
    ("", "_low", "_high", "_delta"),
    ("_from_control", "_from_control_low", "_from_control_high"),
    ("_delta_low", "_delta_high"),
)


def results_table(measured: Measured, rows: pd.DataFrame) -> pd.DataFrame:
    """One line a row, from `fcr_core.tables.measurement_table.wide`; what finds no room stands in the measurements."""
    table = rows.assign(machine=[cost.machine if (cost := measured.cost_of(row)) else "" for row in measured.experiment.rows])
    if not measured.costs:
        table = table.drop(columns="machine")
    fixed = [*NAMES, *COUNTS, *cost_columns(measured), "machine"]
    fixed = [column for column in fixed if column in table]
    metrics = metric_columns(table, AT_MOST - len(fixed))
    after = len(NAMES) + len(COUNTS)
    table = table[[*fixed[:after], *metrics, *fixed[after:]]]
    whole = [column for column in (*COUNTS, *COUNTED[:2]) if column in table and table[column].notna().all()]
    return table.astype(dict.fromkeys(whole, int))


def cost_columns(measured: Measured) -> list[str]:
    """Passes, FLOPs and their limits; latency and speed-up at the smallest and the largest batch, memory at the smallest."""
    batches = sorted(measured.experiment.cost.batches) if measured.experiment.cost else []
    shown = list(dict.fromkeys([*batches[:1], *batches[-1:]]))
    at_batches = [
        column
        for batch in shown
        for column in (f"latency_ms_b{batch}", f"speedup_b{batch}", f"speedup_b{batch}_low", f"speedup_b{batch}_high")
    ]
    return [*COUNTED, *at_batches, *(f"peak_tensor_mb_b{batch}" for batch in shown[:1])]


def metric_columns(table: pd.DataFrame, room: int) -> list[str]:
    """Columns of the metrics in their order; the first that finds no room ends the choice."""
    metrics = list(judged_metrics(table))
    chosen: list[str] = []
    for columns in choices(table, metrics):
        if len(chosen) + len(columns) > room:
            break
        chosen += columns
    ends = [end for part in PARTS for end in part]
    return [metric + end for metric in metrics for end in ends if metric + end in chosen]


def choices(table: pd.DataFrame, metrics: list[str]) -> Iterator[list[str]]:
    """Columns that are taken together or not at all, the most important first."""
    for part in PARTS:
        for metric in metrics:
            columns = [metric + end for end in part if metric + end in table and table[metric + end].notna().any()]
            # All that a reader needs of σ²_Δ, which one criterion is about, is its value.
            yield columns[:1] if metric.startswith(VARIANCE) and part == PARTS[0] else columns


def judged_metrics(table: pd.DataFrame) -> Iterator[str]:
    """The metrics that criteria are about, and σ²_Δ at one Δ; those that were measured."""
    for role in ROLES:
        yield from role.measured(table)
    variances = [column for column in table if str(column).removeprefix(f"{VARIANCE}_d").isdigit()]
    yield from (column for column in DISTANCES[:1] if column in table)
    yield from sorted(variances, key=lambda column: column != f"{VARIANCE}_d{DELTA}")[:1]
    yield from (column for column in DISTANCES[1:] if column in table)
