"""Known answers through the whole path: rows of measurements in, a verdict out."""

import numpy as np
import pandas as pd
import pytest
from fcr_core.experiment.rows import Variation

from fcr_core.metrics import frechet
from fcr_core.metrics.left_out import replicates
from fcr_core.tables.exp1 import Measurements, criteria_table
from fcr_core.tables.recipe_verdicts import OWN, quality_of

PROMPTS, SEEDS, WIDTH = 60, 2, 4
GOAL = Variation("FD-5", None, "FD-5", "ddim", 50, 5)
ARM = Variation("FCR", "r", "FD-10", "ddim", 50, 10)
COLUMNS = ["metric", "seed", "prompt_id", "group", "value"]


def per_prompt(metric: str, values: np.ndarray) -> list[tuple]:
    """Rows of values (seeds, prompts)."""
    return [(metric, seed, f"p{i}", -1, value) for seed, row in enumerate(values) for i, value in enumerate(row)]


def of_sets(metric: str, features: np.ndarray, reference: np.ndarray) -> list[tuple]:
    """Rows of the Fréchet distance of features (seeds, prompts, d): of all prompts, and with each group left out."""
    return [
        (metric, seed, "", group, value)
        for seed, rows in enumerate(features)
        for group, value in replicates(frechet, rows[None], reference)
    ]


def measured(farther: float, shift: float, doubt: float) -> tuple[Measurements, Measurements]:
    """The goal, and an arm whose ST-LPIPS is `farther` and whose features are shifted away from the reference's mean: each on
    average, and by `doubt` more in one half of the prompts and less in the other. A shift changes the Fréchet distance by its
    own size, relatively."""
    reference = np.random.default_rng(1).normal(size=(500, WIDTH))
    features = np.random.default_rng(2).normal(size=(SEEDS, PROMPTS, WIDTH)) + 2
    values = np.random.default_rng(3).uniform(0.3, 0.5, size=(SEEDS, PROMPTS))
    halves = doubt * np.random.default_rng(4).permutation(np.tile([-1, 1], PROMPTS // 2))
    arms = []
    for distances, moved in ((values, features), (values + farther + halves, features + shift + halves[:, None])):
        rows = of_sets("frechet_pca64_effnet", moved, reference) + of_sets("kid_effnet", features, reference)
        rows += per_prompt("st_lpips_alex_own", distances) + per_prompt("lit_score", 10 + values)
        for delta in range(1, 11):
            rows += per_prompt(f"feature_variance_d{delta}", values[:1])
        arms.append(Measurements(pd.DataFrame(rows, columns=COLUMNS)))
    return arms[0], arms[1]


CASES = [(-0.1, -0.2, 0.01, "met"), (0.1, 0.2, 0.01, "not met"), (0.0, 0.05, 0.3, "inconclusive")]


@pytest.mark.parametrize("farther, shift, doubt, verdict", CASES)
def test_a_metric_of_single_images_gets_the_verdict_it_was_made_for(farther, shift, doubt, verdict):
    goal, arm = measured(farther, shift, doubt)
    interval = {one.criterion: one.measured for one in quality_of(arm, goal)}[OWN]
    assert OWN.verdict(interval) == verdict


@pytest.mark.parametrize("farther, shift, doubt, verdict", CASES)
def test_a_metric_of_whole_sets_gets_the_verdict_it_was_made_for(farther, shift, doubt, verdict):
    goal, arm = measured(farther, shift, doubt)
    seconds = {"FD-5": 0.2, "FD-10": 0.1}
    efficiency = pd.DataFrame(
        [
            {"sampler": name, "batch": 1, "repeat": i, "seconds": value * (1 + 0.01 * i), "peak_tensor_bytes": 100}
            for name, value in seconds.items()
            for i in range(4)
        ]
    )
    table = criteria_table([ARM, GOAL], {"FCR": arm, "FD-5": goal}, efficiency, GOAL, "FD-5").set_index("criterion")
    assert set(table["variation"]) == {"FCR"}
    assert table.loc[table.index.str.startswith("Fréchet"), "verdict"].tolist() == [verdict]
    assert table.loc[["speed-up at batch 1", "peak tensor memory, relative change"], "verdict"].tolist() == ["met", "met"]
    # The features are those of the base model: σ²_Δ has not fallen by 30 %.
    assert table.loc["σ²_Δ, mean over Δ = 1..10, relative change", "verdict"] == "not met"


def test_seeds_are_averaged_within_a_prompt_before_anything_is_judged():
    """Seeds that cancel exactly leave no doubt: the difference is a point."""
    noise = np.random.default_rng(0).normal(size=PROMPTS)
    arm = Measurements(pd.DataFrame(per_prompt("st_lpips_alex_own", 1 + np.array([noise, -noise])), columns=COLUMNS))
    values = arm.per_prompt("st_lpips_alex_own").to_numpy()
    assert values == pytest.approx(np.ones(PROMPTS))


def test_a_table_without_fine_tunes_has_no_verdicts_but_its_columns():
    goal, _ = measured(0.0, 0.0, 0.01)
    efficiency = pd.DataFrame({"sampler": ["FD-5"], "batch": [1], "repeat": [0], "seconds": [1.0], "peak_tensor_bytes": [1]})
    table = criteria_table([GOAL], {GOAL.name: goal}, efficiency, GOAL, GOAL.name)
    assert table.empty and {"variation", "criterion", "verdict", "metric"} <= {*table.columns}
