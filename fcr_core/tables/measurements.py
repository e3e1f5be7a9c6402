"""The measurements of a row by metric: their level with an interval, and paired differences between rows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from fcr_core.experiment.experiment import Experiment
from fcr_core.experiment.paths import Paths
from fcr_core.experiment.row import Row
from fcr_core.metrics.left_out import ALL
from fcr_core.statistics.intervals import Interval, Jackknifed, jackknifed_mean, skewed_mean_interval
from fcr_core.statistics.prompt_groups import group_of

VARIANCE = "feature_variance"


class Measurements:
    """All measurements of one row, by metric: `table` is in the long form of `fcr_core.tables.long_table`."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.by_metric = dict(list(table.groupby("metric", sort=False)))
        self._per_prompt: dict[str, pd.Series] = {}

    def __contains__(self, metric: str) -> bool:
        return metric in self.by_metric

    def is_per_prompt(self, metric: str) -> bool:
        return bool((self.by_metric[metric]["prompt_id"] != "").all())

    def per_prompt(self, metric: str) -> pd.Series:
        """Mean over seeds of each prompt, in the order of the prompts."""
        if metric not in self._per_prompt:
            self._per_prompt[metric] = self.by_metric[metric].groupby("prompt_id", sort=False)["value"].mean()
        return self._per_prompt[metric]

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

    @property
    def images(self) -> pd.DataFrame:
        """The measurements of the metric that was taken of the most single images; empty if none was."""
        tables = [
            table for name, table in self.by_metric.items() if not name.startswith(VARIANCE) and (table["prompt_id"] != "").all()
        ]
        return max(tables, key=len, default=pd.DataFrame(columns=["seed", "prompt_id"]))


def read_measurements(experiment: Experiment, paths: Paths, sets: Iterable[str]) -> dict[str, Measurements]:
    """All measurements of an experiment by row; `sets` are the metrics of sets of images that were taken."""
    sets = list(sets)
    return {row.name: Measurements(read_row(row, experiment, paths, sets)) for row in experiment.rows}


def read_row(row: Row, experiment: Experiment, paths: Paths, sets: list[str]) -> pd.DataFrame:
    """Read a row's measurements, as much of its cell as the experiment asks for: another may have drawn more of it.

    Raises `ValueError` where the cell was judged as a set with more seeds or prompts: the sets that are asked for were not.
    """
    files = paths.measurements(row, experiment.measures, sets)
    of_model = paths.variance(row.cell.model.uncached, row.cell.setting.dataset)
    tables = []
    for file in files:
        table = pd.read_parquet(file)
        asked = of_seeds(table, row, experiment) if file == of_model else of_images(table, experiment)
        if file != of_model and len(asked) < len(table) and sets and "sets" in experiment.measures:
            raise ValueError(
                f"{file}: {row.name} was drawn with more seeds or prompts than {experiment.name} asks for, and judged as a set"
                f" with all of them: leave sets out of experiments.{experiment.name}.measures, or ask for as many"
            )
        tables.append(asked)
    return pd.concat(tables, ignore_index=True)


def of_seeds(table: pd.DataFrame, row: Row, experiment: Experiment) -> pd.DataFrame:
    """Features of real images, of the experiment's fine-tunes; published weights are the same whatever the seed.

    All images count: their timesteps are strata of one design.
    """
    tuned = row.cell.model.uncached.recipe is not None
    return table[table["seed"].isin(experiment.seeds)] if tuned else table


def of_images(table: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """The experiment's seeds and, of what single images score, its first prompts."""
    table = table[table["seed"].isin([*experiment.seeds, ALL])]
    if experiment.prompts is None:
        return table
    ids = [prompt_id for prompt_id in table["prompt_id"].unique() if prompt_id]
    return table[table["prompt_id"].isin(["", *ids[: experiment.prompts]])]


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
