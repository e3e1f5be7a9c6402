from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fcr_core.experiment.paths import Paths
from fcr_core.figures import ablation_grid
from fcr_core.figures import mechanism as mechanism_figure
from fcr_core.tables.measured import Measured
from fcr_core.tables.measurement_table import measurement_table, wide
from fcr_core.tables.mechanism import controls_of, fit_table, mechanism_table
from fcr_core.tables.results import Results
from fcr_core.tables.verdicts import criteria_table

from ..experiments import experiment_of, measurements, per_prompt

RECIPES = ["base", "control", "relative", "cosine"]
EXPERIMENT = experiment_of(
    [{"recipe": RECIPES, "stride": 10}, {"recipe": "decoder-10-cut2", "sampler": "own"}], goal=None, control="control",
    seeds=[0, 1], measures=["pairs", "variance"], mechanism={"sampler": "FD-10", "delta": 10},
)  # fmt: skip
# Distances by seed, and σ²_Δ.
MADE = {"base": ((0.4, 0.4), 1.0), "control": ((0.4, 0.2), 1.0), "relative": ((0.15, 0.15), 0.5), "cosine": ((0.1, 0.1), 0.25)}
MADE["decoder-10-cut2"] = ((0.3, 0.3), 9.0)
SPREAD = 1 + 0.1 * (np.arange(8) - 3.5)


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Results:
    """Single prompts spread around the mean; the norm is that of all."""
    paths, arms = Paths(str(tmp_path_factory.mktemp("results"))), {}
    for row in EXPERIMENT.rows:
        distances, variance = MADE[row.cell.model.recipe or "base"]
        single = np.outer(distances, SPREAD)
        lines = per_prompt("latent_mse_own", single) + per_prompt("latent_mse_base", single)
        arms[row.name] = measurements(lines + per_prompt("feature_variance_d10", variance * SPREAD))
        if not row.cell.model.own_decoder:
            write_blocks(Path(paths.block_variance(row.cell.model, "twemoji")), variance)
    rows = wide(measurement_table(Measured(EXPERIMENT, arms)), EXPERIMENT)
    mechanism = mechanism_table(EXPERIMENT, paths)
    criteria = criteria_table(Measured(EXPERIMENT, arms))
    return Results(EXPERIMENT, rows, criteria, mechanism, fit_table(EXPERIMENT, mechanism, rows))


def write_blocks(file: Path, variance: float) -> None:
    lines = [
        {"seed": seed, "prompt_id": f"p{i}", "block": block, "delta": 10, "relative": variance * share, "norm": 2.0}
        | {"mse": variance * share * spread}
        for seed in (0, 1)
        for block, share in (("down.0", 0.5), ("mid", 1.5))
        for i, spread in enumerate(SPREAD)
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(lines).to_parquet(file)


def test_seeds_are_averaged_and_recipes_paired_with_the_control(results):
    rows = results.rows.set_index("variation")
    control, calm = rows.loc["control-FD-10"], rows.loc["relative-FD-10"]
    assert control["latent_mse_own"] == pytest.approx(0.3) and control["latent_mse_own_from_control"] == 0
    assert calm["latent_mse_own_from_control"] == pytest.approx(-0.15) and calm["latent_mse_own_from_control_high"] < 0
    assert calm["latent_mse_own_low"] < calm["latent_mse_own"] < calm["latent_mse_own_high"] and calm["n_prompts"] == 8


def test_changes_of_features_are_ratios_to_the_control(results):
    table = results.mechanism.set_index(["recipe", "block", "delta"])
    calm = table.loc[("relative", "all", 10)]
    assert calm["variance"] == pytest.approx(0.5) and calm["variance_change"] == pytest.approx(-0.5)
    assert calm["variance_change_low"] == pytest.approx(-0.5)  # every prompt halves: no spread of the ratio
    assert (table["norm_change"] == 0).all()
    assert table.loc[("relative", "mid", 10), "variance"] == pytest.approx(0.75)
    # At key steps a reuse decoder is the published model: it is none of its own here.
    assert set(results.mechanism["recipe"]) == set(RECIPES)


def test_the_published_weights_have_the_control_of_their_backbone():
    controls = {model.name: control.recipe for model, control in controls_of(EXPERIMENT).items()}
    assert controls == dict.fromkeys(["base", "control@twemoji", "relative@twemoji", "cosine@twemoji"], "control")


def test_the_fit_is_over_models(results):
    row = results.fits.query("measure == 'variance' and metric == 'latent_mse_own'").iloc[0]
    points = pd.DataFrame({"x": [1.0, 1.0, 0.5, 0.25], "y": [0.4, 0.3, 0.15, 0.1]})
    assert row["r"] == pytest.approx(points.corr().loc["x", "y"]) and row["n_models"] == 4
    assert row[["backbone", "dataset", "scenario", "sampler"]].tolist() == ["pocket", "twemoji", "clean", "FD-10"]


def test_too_few_models_have_no_fit(results):
    few = experiment_of([{"recipe": RECIPES[:2], "stride": 10}], goal=None, mechanism={"sampler": "FD-10", "delta": 10})
    assert fit_table(few, results.mechanism, results.rows[results.rows["variation"].isin(few.by_name)]).empty


def test_the_figures_show_every_model_that_is_compared(results):
    names = {text.get_text() for text in ablation_grid.figure(results).axes[0].get_yticklabels()}
    assert names == set(RECIPES)
    assert {text.get_text() for text in mechanism_figure.figure(results).axes[1].texts} == set(RECIPES)
