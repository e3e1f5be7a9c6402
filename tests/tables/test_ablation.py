import pandas as pd
import pytest

from fcr_core.tables.ablation import ablation_table, fit_table, mechanism_table, read_cells

PROMPTS = [f"p{i}" for i in range(8)]


def cell(distance: float, variance: float) -> pd.DataFrame:
    """Measurements of one recipe and seed; single prompts spread around the mean."""
    rows = []
    for i, prompt in enumerate(PROMPTS):
        spread = 1 + 0.1 * (i - 3.5)
        rows += [(prompt, f"latent_mse_{kind}", distance * spread, "FD-10") for kind in ("own", "base")]
        for block, share in (("down.0", 0.5), ("mid", 1.5)):
            values = {"variance": variance * share * spread, "relative": variance * share, "norm": 2.0}
            rows += [(prompt, metric, value, f"{block} 10") for metric, value in values.items()]
    return pd.DataFrame(rows, columns=["prompt_id", "metric", "value", "plan"])


CELLS = read_cells(
    {
        "base": [cell(0.4, 1.0)],
        "control": [cell(0.4, 1.0), cell(0.2, 1.0)],
        "calm": [cell(0.15, 0.5)],
        "calmer": [cell(0.1, 0.25)],
    }
)


def test_seeds_are_averaged_and_recipes_paired_with_the_control():
    table = ablation_table(CELLS, 2).set_index(["recipe", "metric"])
    control, calm = table.loc[("control", "latent_mse_own")], table.loc[("calm", "latent_mse_own")]
    assert control["value"] == pytest.approx(0.3) and control["difference"] == 0
    assert calm["difference"] == pytest.approx(-0.15) and calm["difference_high"] < 0 and calm["against"] == "control"
    assert calm["low"] < calm["value"] < calm["high"] and calm["n_prompts"] == 8


def test_changes_of_features_are_ratios_to_the_control():
    table = mechanism_table(CELLS).set_index(["recipe", "block", "delta"])
    calm = table.loc[("calm", "all", 10)]
    assert calm["variance"] == pytest.approx(0.5) and calm["variance_change"] == pytest.approx(-0.5)
    assert calm["variance_change_low"] == pytest.approx(-0.5)  # every prompt halves: no spread of the ratio
    assert (table["norm_change"] == 0).all()
    assert table.loc[("calm", "mid", 10), "variance"] == pytest.approx(0.75)


def test_the_fit_is_over_models():
    fits = fit_table(mechanism_table(CELLS), ablation_table(CELLS, 1), "FD-10")
    row = fits.query("measure == 'variance' and metric == 'latent_mse_own'").iloc[0]
    points = pd.DataFrame({"x": [1.0, 1.0, 0.5, 0.25], "y": [0.4, 0.3, 0.15, 0.1]})
    assert row["r"] == pytest.approx(points.corr().loc["x", "y"]) and row["n_models"] == 4
