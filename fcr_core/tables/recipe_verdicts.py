"""Does a recipe do what it should? Each cached row of the recipe table against FD-5 and against plain solvers of its latency."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from fcr_core.experiment.rows import Variation
from fcr_core.statistics.intervals import Interval, ratio_of_medians
from fcr_core.tables.criteria import EXP1, Compared, Criterion
from fcr_core.tables.exp1 import Measurements, difference
from fcr_core.tables.formatting import interval
from fcr_core.tables.metric_columns import label
from fcr_core.tables.metric_roles import FRECHET, IMAGE_TEXT, KID

DISTANCES = {"st_lpips_alex": "ST-LPIPS", "latent_mse": "latent MSE"}
# Against the quality goal, FD-5 of the base model.
QUALITY = {
    FRECHET: EXP1["frechet"],
    KID: Criterion("{}, difference", "at most", 0.0),
    IMAGE_TEXT: EXP1["image_text"],
}
BASE = Criterion("ST-LPIPS to the base model's uncached output, difference", "at most", 0.0)
OWN = Criterion("ST-LPIPS to the model's own uncached output, difference", "at most", 0.0)
# What a user needs memory for is a call, from prompts to pixels: that is asked. The sampling loop alone is reported.
MEMORY = {"peak_tensor_bytes": "peak tensor memory", "loop_tensor_bytes": "peak tensor memory of the sampling loop"}
TWINS = {"own": "model's own", "base": "base model's"}
SOLVERS = {"ddim": "DDIM", "dpm++": "DPM++"}


def recipe_criteria(
    variations: Iterable[Variation],
    measured: dict[str, Measurements],
    efficiency: pd.DataFrame,
    goal: Variation,
    decoder_bytes: dict[str, int],
) -> pd.DataFrame:
    """A verdict for each cached row and criterion; `asked` says which a recipe has to meet.

    `decoder_bytes`: the size of a row's own reuse decoder.
    """
    variations = list(variations)
    rows = []
    for row in variations:
        if row.stride == 1 or row == goal:
            continue
        own_bytes = decoder_bytes.get(row.name, 0)
        asked = {
            "quality": quality_of(measured[row.name], measured[goal.name]),
            "speed": faster(row, goal, efficiency),
            "memory": memory(row, goal, efficiency, "peak_tensor_bytes", own_bytes),
            "solvers": against_solvers(row, variations, measured, efficiency, "own"),
        }
        # To the base model's output a fine-tuned model is far whatever it does well: reported, not asked for.
        reported = {
            "solvers": against_solvers(row, variations, measured, efficiency, "base"),
            "memory": memory(row, goal, efficiency, "loop_tensor_bytes", own_bytes),
            "quality": [st_lpips(BASE, measured[row.name], measured[goal.name], "base")],
        }
        rows += verdict_rows(row.name, asked, True) + verdict_rows(row.name, reported, False)
    return pd.DataFrame(rows)


def verdict_rows(name: str, criteria: dict[str, list[Compared]], asked: bool) -> list[dict[str, Any]]:
    """One row a criterion, whose kind is the key that it stands under."""
    return [
        {"variation": name, "kind": kind} | one.row() | {"asked": asked}
        for kind, compared in criteria.items()
        for one in compared
    ]


def st_lpips(criterion: Criterion, mine: Measurements, goals: Measurements, twin: str) -> Compared:
    metric = f"st_lpips_alex_{twin}"
    return Compared(criterion, difference(mine, goals, metric), metric)


def quality_of(mine: Measurements, goals: Measurements) -> list[Compared]:
    columns = {role: role.column(mine.by_metric) for role in QUALITY}
    relative = {role: mine.jackknifed(name).relative_change(goals.jackknifed(name)) for role, name in columns.items()}
    changes = relative | {KID: difference(mine, goals, columns[KID])}
    judged = [Compared(QUALITY[role].of(label(columns[role])), change, columns[role]) for role, change in changes.items()]
    return [*judged, st_lpips(OWN, mine, goals, "own")]


def faster(row: Variation, goal: Variation, efficiency: pd.DataFrame) -> list[Compared]:
    """Speed-up over the goal at each batch size."""
    ratios = {
        batch: ratio_of_medians(theirs["seconds"].to_numpy(), mine["seconds"].to_numpy())
        for batch, mine, theirs in side_by_side(row, goal, efficiency)
    }
    return [
        Compared(Criterion(f"speed-up at batch {batch}", "at least", EXP1["speedup"].limit), ratio)
        for batch, ratio in ratios.items()
    ]


def memory(row: Variation, goal: Variation, efficiency: pd.DataFrame, column: str, extra: int) -> list[Compared]:
    """Change of a peak of tensors at each batch size; `extra` are the weights of the row's own decoder."""
    changes = {
        batch: (mine[column].iloc[0] + extra) / theirs[column].iloc[0] - 1
        for batch, mine, theirs in side_by_side(row, goal, efficiency)
    }
    return [
        Compared(
            Criterion(f"{MEMORY[column]} at batch {batch}, relative change", "at most", EXP1["memory"].limit),
            Interval(*[change] * 5),
        )
        for batch, change in changes.items()
    ]


def side_by_side(row: Variation, goal: Variation, efficiency: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame, pd.DataFrame]]:
    """(batch, the row's measurements, the goal's), each in the order of the rounds."""
    for batch, table in efficiency.groupby("batch"):
        mine, theirs = (table[table["sampler"] == name].sort_values("repeat") for name in (row.sampler, goal.sampler))
        yield batch, mine, theirs


def against_solvers(
    row: Variation, variations: list[Variation], measured: dict[str, Measurements], efficiency: pd.DataFrame, twin: str
) -> list[Compared]:
    """Distance to the uncached output of the same weights (`twin` "own") or of the base model, less the solver's."""
    judged = []
    for scheduler, title in SOLVERS.items():
        solvers = [other for other in variations if other.scheduler == scheduler and other.stride == 1]
        rival = rival_of(row, [other for other in solvers if other != variations[0]], efficiency)
        for metric, name in DISTANCES.items():
            claim = f"{name} to the {TWINS[twin]} uncached output, less {title}'s ({rival.name})"
            gap = difference(measured[row.name], measured[rival.name], f"{metric}_{twin}")
            judged.append(Compared(Criterion(claim, "at most", 0.0), gap, f"{metric}_{twin}"))
    return judged


def rival_of(row: Variation, solvers: list[Variation], efficiency: pd.DataFrame) -> Variation:
    """The solver with the fewest steps that takes no less time than the row at the largest batch; else the slowest."""
    largest = efficiency[efficiency["batch"] == efficiency["batch"].max()]
    seconds = largest.groupby("sampler")["seconds"].median()
    ordered = sorted(solvers, key=lambda other: seconds[other.sampler])
    return next((other for other in ordered if seconds[other.sampler] >= seconds[row.sampler]), ordered[-1])


def preserving(criteria: pd.DataFrame) -> list[str]:
    """The stopping rule: names of the rows for which no criterion of quality is "not met"."""
    failed = criteria[criteria["asked"] & (criteria["kind"] == "quality") & (criteria["verdict"] == "not met")]["variation"]
    return [str(name) for name in criteria["variation"].unique() if name not in set(failed)]


def criteria_page(criteria: pd.DataFrame, goal: str) -> str:
    """Which rows meet everything, then each row's verdicts."""
    asked = criteria[criteria["asked"]]
    met = [str(name) for name, table in asked.groupby("variation", sort=False) if (table["verdict"] == "met").all()]
    note = "Verdicts in brackets are reported beside, not asked for."
    lines = ["# Criteria", f"Against {goal} of the base model. {note} All met by: {', '.join(met) or 'no row'}."]
    for name, table in criteria.groupby("variation", sort=False):
        shown = table[["criterion", "claim", "verdict"]].copy()
        pairs = zip(table["verdict"], table["asked"], strict=True)
        shown["verdict"] = [verdict if asked_for else f"({verdict})" for verdict, asked_for in pairs]
        shown.insert(2, "measured (one-sided 95 % bounds)", [
            interval(r.value, r.lower_bound, r.upper_bound) for r in table.itertuples()
        ])  # fmt: skip
        lines += [f"## {name}", shown.to_markdown(index=False, disable_numparse=True)]
    return "\n\n".join(lines) + "\n"
