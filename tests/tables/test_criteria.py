"""Known answers through the whole path: rows of measurements in, a verdict out."""

import numpy as np
import pytest

from fcr_core.tables.measured import Measured
from fcr_core.tables.measurements import Measurements
from fcr_core.tables.recipe_verdicts import NO_MORE, st_lpips
from fcr_core.tables.verdicts import VERDICT_COLUMNS, criteria_table

from ..experiments import cost, experiment_of, measurements, of_sets, per_prompt

PROMPTS, SEEDS, WIDTH = 60, 2, 4
PLAN = experiment_of([{"stride": 5}, {"stride": 10, "lam": 0.1}], criteria="plan")
ARM, GOAL = "FCR(0.10)-FD-10", "FD-5"
SECONDS = {"FD-5": 0.2, "FD-10": 0.1}


def measured(farther: float, shift: float, doubt: float) -> Measured:
    """The goal, and an arm whose ST-LPIPS is `farther` and whose features are shifted away from the reference's mean: each on
    average, and by `doubt` more in one half of the prompts and less in the other. A shift changes the Fréchet distance by its
    own size, relatively."""
    reference = np.random.default_rng(1).normal(size=(500, WIDTH))
    features = np.random.default_rng(2).normal(size=(SEEDS, PROMPTS, WIDTH)) + 2
    values = np.random.default_rng(3).uniform(0.3, 0.5, size=(SEEDS, PROMPTS))
    halves = doubt * np.random.default_rng(4).permutation(np.tile([-1, 1], PROMPTS // 2))
    arms: dict[str, Measurements] = {}
    moved = {GOAL: (values, features), ARM: (values + farther + halves, features + shift + halves[:, None])}
    for name, (distances, at) in moved.items():
        rows = of_sets("frechet_pca64_effnet", at, reference) + per_prompt("st_lpips_alex_own", distances)
        rows += per_prompt("lit_score", 10 + values)
        for delta in range(1, 11):
            rows += per_prompt(f"feature_variance_d{delta}", values[:1])
        arms[name] = measurements(rows)
    return Measured(PLAN, arms, cost(SECONDS))


CASES = [(-0.1, -0.2, 0.01, "met"), (0.1, 0.2, 0.01, "not met"), (0.0, 0.05, 0.3, "inconclusive")]


@pytest.mark.parametrize("farther, shift, doubt, verdict", CASES)
def test_a_metric_of_single_images_gets_the_verdict_it_was_made_for(farther, shift, doubt, verdict):
    row, goal = PLAN.by_name[ARM], PLAN.by_name[GOAL]
    found = st_lpips(row, goal, measured(farther, shift, doubt), "own")
    assert found.criterion.limit == NO_MORE.limit and found.criterion.verdict(found.measured) == verdict


@pytest.mark.parametrize("farther, shift, doubt, verdict", CASES)
def test_a_metric_of_whole_sets_gets_the_verdict_it_was_made_for(farther, shift, doubt, verdict):
    table = criteria_table(measured(farther, shift, doubt)).set_index("criterion")
    assert set(table["variation"]) == {ARM} and set(table["against"]) == {GOAL}
    assert table.loc[table.index.str.startswith("Fréchet"), "verdict"].tolist() == [verdict]
    cheap = ["speed-up at batch 1", "peak tensor memory at batch 1, relative change"]
    assert table.loc[cheap, "verdict"].tolist() == ["met", "met"] and table.loc[cheap, "batch"].tolist() == [1, 1]
    # The features are those of the base model: σ²_Δ has not fallen by 30 %.
    assert table.loc["σ²_Δ, mean over Δ = 1..10, relative change", "verdict"] == "not met"


def test_seeds_are_averaged_within_a_prompt_before_anything_is_judged():
    """Seeds that cancel exactly leave no doubt: the difference is a point."""
    noise = np.random.default_rng(0).normal(size=PROMPTS)
    values = measurements(per_prompt("st_lpips_alex_own", 1 + np.array([noise, -noise]))).per_prompt("st_lpips_alex_own")
    assert values.to_numpy() == pytest.approx(np.ones(PROMPTS))


def test_a_table_without_fine_tunes_has_no_verdicts_but_its_columns():
    whole = measured(0.0, 0.0, 0.01)
    alone = Measured(experiment_of([{"stride": 5}], criteria="plan"), {GOAL: whole.arms[GOAL]}, whole.costs)
    table = criteria_table(alone)
    assert table.empty and table.columns.tolist() == VERDICT_COLUMNS


def test_a_delta_that_was_not_measured_is_named():
    whole = measured(0.0, 0.0, 0.01)
    del whole.arms[ARM].by_metric["feature_variance_d7"]
    with pytest.raises(ValueError, match=r"Δ = \[7\].*metrics.deltas"):
        criteria_table(whole)
