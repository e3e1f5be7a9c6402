"""The ablation grid in tables: each recipe's distances and features, paired with those of the control."""

from __future__ import annotations

import pandas as pd

from fcr_core.experiment.rows import CONTROL
from fcr_core.statistics.correlation import fit
from fcr_core.statistics.intervals import Jackknifed, jackknifed_mean, skewed_mean_interval
from fcr_core.statistics.prompt_groups import group_of

# What a cell measures of features; its other metrics are distances of images, by sampler.
OF_FEATURES = ("variance", "relative", "norm")

# One value a prompt, averaged over seeds, by (recipe, plan, metric).
Cells = dict[tuple[str, str, str], pd.Series]


def read_cells(tables: dict[str, list[pd.DataFrame]]) -> Cells:
    """From the long tables of each recipe, one a seed, with `plan`, `metric`, `prompt_id`, `value`."""
    cells = {}
    for recipe, seeds in tables.items():
        groups = pd.concat(seeds).groupby(["plan", "metric"], sort=False)
        for (plan, metric), group in groups:
            cells[recipe, str(plan), str(metric)] = group.groupby("prompt_id", sort=False)["value"].mean()
    return cells


def ablation_table(cells: Cells, n_seeds: int) -> pd.DataFrame:
    """One row a (recipe, sampler, metric): mean with its 95 % interval, and its paired difference from the control's.

    Where the control was not sampled that way (a reuse decoder's own sampler), the base model takes its place.
    """
    rows = []
    for (recipe, plan, metric), values in cells.items():
        if metric in OF_FEATURES:
            continue
        rival = CONTROL if (CONTROL, plan, metric) in cells else "base"
        here = skewed_mean_interval(values.to_numpy())
        row = {"recipe": recipe, "sampler": plan, "metric": metric, "n_prompts": len(values), "n_seeds": n_seeds}
        row |= {"value": here.value, "low": here.low, "high": here.high, "median": values.median(), "against": rival}
        if (rival, plan, metric) in cells:
            gap = skewed_mean_interval((values - cells[rival, plan, metric]).to_numpy())
            row |= {"difference": gap.value, "difference_low": gap.low, "difference_high": gap.high}
        rows.append(row)
    return pd.DataFrame(rows)


def mechanism_table(cells: Cells) -> pd.DataFrame:
    """One row a (recipe, block, Δ): σ²_Δ raw and relative, the features' norm, and their change against the control.

    Changes are ratios of means − 1 with 95 % intervals by a jackknife over groups of prompts. Block `all` is the mean over
    blocks, as in the loss.
    """
    cells = cells | over_blocks(cells)
    rows = []
    for recipe, plan in dict.fromkeys((recipe, plan) for recipe, plan, metric in cells if metric == "variance"):
        block, delta = plan.rsplit(" ", 1)
        row: dict[str, object] = {"recipe": recipe, "block": block, "delta": int(delta)}
        for metric in OF_FEATURES:
            change = jackknifed(cells[recipe, plan, metric]).relative_change(jackknifed(cells[CONTROL, plan, metric]))
            row |= {metric: cells[recipe, plan, metric].mean(), f"{metric}_change": change.value}
            row |= {f"{metric}_change_low": change.low, f"{metric}_change_high": change.high}
        rows.append(row)
    return pd.DataFrame(rows)


def over_blocks(cells: Cells) -> Cells:
    """The mean over blocks of what is measured of features, as block `all`."""
    parts: dict[tuple[str, str, str], list[pd.Series]] = {}
    for (recipe, plan, metric), values in cells.items():
        if metric in OF_FEATURES:
            parts.setdefault((recipe, f"all {plan.rsplit(' ', 1)[1]}", metric), []).append(values)
    return {key: sum(values) / len(values) for key, values in parts.items()}


def jackknifed(values: pd.Series) -> Jackknifed:
    return jackknifed_mean(values.to_numpy(), group_of(len(values)))


def fit_table(mechanism: pd.DataFrame, ablations: pd.DataFrame, plan: str) -> pd.DataFrame:
    """Does σ²_Δ predict the quality lost at `plan`? One row a (measure of variance, Δ, metric), over all models sampled that way.

    A reuse decoder has the features of the base model and is not sampled at `plan`: it is no model here.
    """
    features = mechanism[mechanism["block"] == "all"]
    lost = ablations[ablations["sampler"] == plan].pivot(index="recipe", columns="metric", values="value")
    rows = []
    for delta, at_delta in features.groupby("delta"):
        joined = at_delta.set_index("recipe").join(lost, how="inner")
        for measure in ("variance", "relative"):
            for metric in lost.columns:
                found = fit(joined[measure].to_numpy(), joined[metric].to_numpy())
                rows.append({"delta": delta, "measure": measure, "sampler": plan, "metric": metric, **found})
    return pd.DataFrame(rows)
