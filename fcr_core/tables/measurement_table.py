"""Everything that is known of an experiment's rows, in long form: one line a row, metric and statistic."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from fcr_core.experiment.experiment import Experiment
from fcr_core.experiment.row import Row
from fcr_core.statistics.multiplicity import adjusted
from fcr_core.statistics.paired_tests import between_seeds, paired_test
from fcr_core.tables.cost import Statistics, cost_statistics
from fcr_core.tables.measured import Measured
from fcr_core.tables.measurements import Measurements, difference, level, shared_prompts
from fcr_core.tables.places import place_of

COLUMNS = ["variation", "backbone", "dataset", "scenario", "metric", "statistic", "value"]


def measurement_table(measured: Measured) -> pd.DataFrame:
    """One line a row of the experiment, metric and statistic; the statistic `value` is the metric itself."""
    lines = []
    for row in measured.experiment.rows:
        place = place_of(row)._asdict()
        for (metric, statistic), value in statistics_of(row, measured).items():
            lines.append({"variation": row.name, **place, "metric": metric, "statistic": statistic, "value": float(value)})
    return with_holm(pd.DataFrame(lines, columns=COLUMNS))


def statistics_of(row: Row, measured: Measured) -> Statistics:
    """Counts, then each metric against the goal and the control, what real images score, and cost."""
    arm, cost = measured.arms[row.name], measured.cost_of(row)
    goal, control = (measured.arms[name] if name else None for name in (row.goal, row.control))
    found: Statistics = counts(arm)
    for metric in arm.by_metric:
        found |= metric_statistics(arm, metric) | against_goal(arm, goal, metric) | against_control(arm, control, metric)
    found |= {(str(metric), "real"): value for metric, value in measured.real_of(row).items()}
    if cost:
        rival = measured.goal_of(row)
        found |= cost_statistics(cost, row.cell.sampler.name, rival.cell.sampler.name if rival else None, row.base.sampler.name)
    return found


def counts(arm: Measurements) -> Statistics:
    """Images that the row was judged on, their prompts and seeds, and images with an uncached twin of the same weights."""
    images = arm.images
    found = {"n_images": len(images), "n_prompts": images["prompt_id"].nunique(), "n_seeds": images["seed"].nunique()}
    if "latent_mse_own" in arm:
        found["n_twin_images"] = len(arm.by_metric["latent_mse_own"])
    return {(name, "value"): count for name, count in found.items()}


def metric_statistics(arm: Measurements, metric: str) -> Statistics:
    """The metric with its interval, its spread between seeds and, of single images, its median over prompts."""
    here, seeds = level(arm, metric), arm.seed_means(metric)
    found = {"value": here.value, "low": here.low, "high": here.high, "seed_sd": arm.seed_sd(metric)}
    if len(seeds) > 1:
        between = between_seeds(seeds)
        found |= {"between_seeds_low": between.low, "between_seeds_high": between.high}
    if arm.is_per_prompt(metric):
        found["median"] = float(arm.per_prompt(metric).median())
    return {(metric, statistic): value for statistic, value in found.items()}


def against_goal(arm: Measurements, goal: Measurements | None, metric: str) -> Statistics:
    """The paired difference from the goal with its interval, and tests that it is nothing."""
    if goal is None or metric not in goal:
        return {}
    gap = difference(arm, goal, metric)
    found = {"delta": gap.value, "delta_low": gap.low, "delta_high": gap.high}
    if arm.is_per_prompt(metric):
        mine, goals = shared_prompts(arm, goal, metric)
        test = paired_test(mine[None], goals[None])
        found |= {"delta_p": test.t_p, "wilcoxon_p": test.wilcoxon_p}
    return {(metric, statistic): value for statistic, value in found.items()}


def against_control(arm: Measurements, control: Measurements | None, metric: str) -> Statistics:
    """The paired difference from the same fine-tune without the FCR term."""
    if control is None or metric not in control:
        return {}
    gap = difference(arm, control, metric)
    ends = {"from_control": gap.value, "from_control_low": gap.low, "from_control_high": gap.high}
    return {(metric, statistic): value for statistic, value in ends.items()}


def with_holm(table: pd.DataFrame) -> pd.DataFrame:
    """Behind each p-value the one adjusted over the rows of the experiment, which are one family a metric."""
    tests = table[table["statistic"] == "delta_p"]
    if tests.empty:
        return table
    holm = adjusted(tests.rename(columns={"value": "p"}), ["metric"])["p_adjusted"]
    more = tests.assign(statistic="delta_p_holm", value=holm)
    return pd.concat([table, more]).sort_index(kind="stable").reset_index(drop=True)


def read_measurement_table(file: Path) -> pd.DataFrame:
    """Every number as it was written, to the last bit."""
    return pd.read_csv(file, keep_default_na=False, na_values=[""])


def wide(table: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """One line a row of the experiment, with its `role`, and a column a metric and statistic: `kid_effnet`, `kid_effnet_low`."""
    own = table["statistic"] == "value"
    names = table["metric"].where(own, table["metric"] + "_" + table["statistic"])
    values = table.assign(column=names).pivot(index="variation", columns="column", values="value")
    rows = pd.DataFrame([{"variation": row.name, **place_of(row)._asdict(), "role": row.role} for row in experiment.rows])
    return rows.join(values[list(dict.fromkeys(names))], on="variation")
