"""Experiment 1: long-form measurements in, one row a variation out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from fcr_core.experiment.rows import Variation
from fcr_core.metrics.left_out import ALL
from fcr_core.statistics.intervals import Interval, Jackknifed, jackknifed_mean, ratio_of_medians, skewed_mean_interval
from fcr_core.statistics.multiplicity import adjusted
from fcr_core.statistics.paired_tests import between_seeds, paired_test
from fcr_core.statistics.prompt_groups import group_of
from fcr_core.tables.criteria import EXP1, VERDICT_COLUMNS, Compared
from fcr_core.tables.metric_columns import label
from fcr_core.tables.metric_roles import FRECHET, IMAGE_TEXT


class Measurements:
    """All measurements of one variation, by metric: `table` is in the long form of `fcr_core.tables.long_table`."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.by_metric = dict(list(table.groupby("metric", sort=False)))

    def is_per_prompt(self, metric: str) -> bool:
        return bool((self.by_metric[metric]["prompt_id"] != "").all())

    def per_prompt(self, metric: str) -> pd.Series:
        """Mean over seeds of each prompt, in the order of the prompts."""
        return self.by_metric[metric].groupby("prompt_id", sort=False)["value"].mean()

    def jackknifed(self, metric: str) -> Jackknifed:
        """Mean over seeds, or of the images of all seeds together, with each group of prompts left out in turn."""
        if self.is_per_prompt(metric):
            values = self.per_prompt(metric).to_numpy()
            return jackknifed_mean(values, group_of(len(values)))
        table = self.by_metric[metric]
        together = table["seed"] == ALL
        by_group = table[together if together.any() else ~together].groupby("group")["value"].mean().sort_index()
        return Jackknifed(float(by_group.iloc[0]), by_group.iloc[1:].to_numpy())

    def seed_sd(self, metric: str) -> float:
        """Standard deviation between seeds of the metric's mean: how much a single run can be off."""
        means = self.seed_means(metric)
        return float(np.std(means, ddof=1)) if len(means) > 1 else float("nan")

    def seed_means(self, metric: str) -> np.ndarray:
        """The metric of each seed (seeds,)."""
        table = self.by_metric[metric]
        return table[(table["group"] == -1) & (table["seed"] != ALL)].groupby("seed")["value"].mean().to_numpy()


def read_rows(rows: list[dict[str, Any]]) -> tuple[dict[str, Variation], dict[str, Measurements]]:
    """Variations and their measurements by name, from what `fcr_core.experiment.rows.rows_json` wrote."""
    variations = {row["variation"]["name"]: Variation(**row["variation"]) for row in rows}
    tables = {row["variation"]["name"]: [pd.read_parquet(file) for file in row["files"]] for row in rows}
    return variations, {name: Measurements(pd.concat(parts, ignore_index=True)) for name, parts in tables.items()}


def level(arm: Measurements, metric: str) -> Interval:
    """The metric's mean with its interval: over prompts, or by the jackknife for a metric of whole sets."""
    if arm.is_per_prompt(metric):
        return skewed_mean_interval(arm.per_prompt(metric).to_numpy())
    return arm.jackknifed(metric).interval()


def difference(arm: Measurements, other: Measurements, metric: str) -> Interval:
    """arm − other on the prompts that both have, paired."""
    if arm.is_per_prompt(metric):
        mine, others = shared_prompts(arm, other, metric)
        return skewed_mean_interval(mine - others)
    return arm.jackknifed(metric).difference(other.jackknifed(metric))


def shared_prompts(arm: Measurements, other: Measurements, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Values (n,), (n,) on the prompts that both have."""
    pairs = pd.concat([arm.per_prompt(metric), other.per_prompt(metric)], axis=1, join="inner").to_numpy()
    return pairs[:, 0], pairs[:, 1]


def metric_columns(arm: Measurements, goal: Measurements, metric: str) -> dict[str, float]:
    """Level, its interval, spread between seeds, and the paired difference from the quality goal with its interval."""
    here, gap = level(arm, metric), difference(arm, goal, metric)
    columns = {
        metric: here.value,
        f"{metric}_low": here.low,
        f"{metric}_high": here.high,
        f"{metric}_seed_sd": arm.seed_sd(metric),
        f"{metric}_delta": gap.value,
        f"{metric}_delta_low": gap.low,
        f"{metric}_delta_high": gap.high,
    }
    seeds = arm.seed_means(metric)
    if len(seeds) > 1:
        between = between_seeds(seeds)
        columns |= {f"{metric}_between_seeds_low": between.low, f"{metric}_between_seeds_high": between.high}
    if arm.is_per_prompt(metric):
        mine, goals = shared_prompts(arm, goal, metric)
        test = paired_test(mine[None], goals[None])
        columns |= {f"{metric}_delta_p": test.t_p, f"{metric}_wilcoxon_p": test.wilcoxon_p}
    return columns


def with_holm(table: pd.DataFrame) -> pd.DataFrame:
    """Beside each column of p-values those adjusted over the rows, which are one family."""
    for column in [name for name in table if name.endswith("_delta_p")]:
        family = pd.DataFrame({"p": table[column], "metric": column})
        table[f"{column}_holm"] = adjusted(family, ["metric"])["p_adjusted"]
    return table


def efficiency_columns(efficiency: pd.DataFrame, sampler: str, goal: str, uncached: str) -> dict[str, float]:
    """Passes, FLOPs, the speed-up that FLOPs allow, and measured latency, speed-up and memory at each batch size."""
    by_sampler = {name: table.sort_values("repeat") for name, table in efficiency.groupby("sampler")}
    mine = by_sampler[sampler]
    flops = {name: table["unet_flops"].iloc[0] for name, table in by_sampler.items()}
    columns = {
        "encoder_passes": mine["encoder_passes"].iloc[0],
        "decoder_passes": mine["decoder_passes"].iloc[0],
        "unet_gflops": flops[sampler] / 1e9,
        "flop_limit_vs_goal": flops[goal] / flops[sampler],
        "flop_limit_vs_uncached": flops[uncached] / flops[sampler],
    }
    for batch, table in mine.groupby("batch"):
        other = by_sampler[goal][by_sampler[goal]["batch"] == batch]
        ratio = ratio_of_medians(other["seconds"].to_numpy(), table["seconds"].to_numpy())
        quartiles = np.percentile(1000 * table["seconds_per_image"], [25, 50, 75])
        columns |= {
            f"latency_ms_b{batch}": quartiles[1],
            f"latency_ms_b{batch}_q25": quartiles[0],
            f"latency_ms_b{batch}_q75": quartiles[2],
            f"speedup_b{batch}": ratio.value,
            f"speedup_b{batch}_low": ratio.low,
            f"speedup_b{batch}_high": ratio.high,
            f"peak_tensor_mb_b{batch}": table["peak_tensor_bytes"].iloc[0] / 1e6,
        }
    return columns


def compared_metrics(measured: dict[str, Measurements]) -> list[str]:
    """The metrics of all variations in the order of their appearance."""
    return list(dict.fromkeys(metric for arm in measured.values() for metric in arm.by_metric))


def exp1_table(
    variations: Iterable[Variation],
    measured: dict[str, Measurements],
    efficiency: pd.DataFrame,
    real: pd.DataFrame,
    goal: Variation,
    uncached: str,
) -> pd.DataFrame:
    """One row a variation; every difference and speed-up is against `goal` (FD-5).

    `{metric}_real` is what real images score: the floor of a distance, the value of a score.
    """
    rows = []
    real_columns = {f"{metric}_real": value for metric, value in real.groupby("metric")["value"].mean().items()}
    for variation in variations:
        arm = measured[variation.name]
        count = arm.by_metric[IMAGE_TEXT.column(arm.by_metric)]
        row = {
            "variation": variation.name,
            "n_images": len(count),
            "n_prompts": count["prompt_id"].nunique(),
            "n_seeds": count["seed"].nunique(),
            "n_twin_images": len(arm.by_metric["latent_mse_own"]),
        }
        for metric in compared_metrics(measured):
            row |= metric_columns(arm, measured[goal.name], metric)
        rows.append(row | real_columns | efficiency_columns(efficiency, variation.sampler, goal.sampler, uncached))
    return with_holm(pd.DataFrame(rows))


def mean_variance(arm: Measurements) -> Jackknifed:
    """σ²_Δ averaged over Δ = 1..10."""
    per_delta = [arm.per_prompt(f"feature_variance_d{delta}").to_numpy() for delta in range(1, 11)]
    values = np.mean(per_delta, axis=0)
    return jackknifed_mean(values, group_of(len(values)))


def criteria_table(
    variations: Iterable[Variation],
    measured: dict[str, Measurements],
    efficiency: pd.DataFrame,
    goal: Variation,
    base: str,
) -> pd.DataFrame:
    """A verdict for each fine-tuned variation and criterion; `base` is a row of the base model."""
    rows = []
    seconds = dict(list(efficiency[efficiency["batch"] == efficiency["batch"].min()].groupby("sampler")))
    for variation in variations:
        if variation.recipe is None:
            continue
        arm, other = measured[variation.name], measured[goal.name]
        mine, theirs = seconds[variation.sampler], seconds[goal.sampler]
        memory = mine["peak_tensor_bytes"].iloc[0] / theirs["peak_tensor_bytes"].iloc[0] - 1
        compared = [
            Compared(EXP1[key].of(label(metric)), arm.jackknifed(metric).relative_change(other.jackknifed(metric)), metric)
            for key, role in (("frechet", FRECHET), ("image_text", IMAGE_TEXT))
            for metric in [role.column(arm.by_metric)]
        ]
        compared += [
            Compared(EXP1["speedup"], ratio_of_medians(theirs["seconds"].to_numpy(), mine["seconds"].to_numpy())),
            Compared(EXP1["memory"], Interval(*[memory] * 5)),
            Compared(
                EXP1["feature_variance"],
                mean_variance(arm).relative_change(mean_variance(measured[base])),
                "feature_variance_d10",
            ),
        ]
        rows += [{"variation": variation.name} | one.row() for one in compared]
    return pd.DataFrame(rows, columns=["variation", *VERDICT_COLUMNS])
