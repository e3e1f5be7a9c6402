from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fcr_core.experiment.experiment import Experiment
from fcr_core.experiment.paths import Paths
from fcr_core.tables.markdown import page
from fcr_core.tables.measured import Measured
from fcr_core.tables.measurement_table import measurement_table, read_measurement_table, wide
from fcr_core.tables.measurements import read_measurements
from fcr_core.tables.results_table import AT_MOST, results_table
from fcr_core.tables.verdicts import criteria_table

from ..experiments import cost, experiment_of, jackknifed, long, measurements, per_prompt

ROWS = ["uncached", {"stride": [5, 10]}, {"stride": 10, "lam": [0, 0.1]}]
PAIRS = [f"{metric}_{twin}" for metric in ("latent_mse", "st_lpips_alex") for twin in ("own", "base")]
COST = {"batches": [1, 2, 8], "repeats": 4}
EXPERIMENT = experiment_of(ROWS, cost=COST, seeds=[0, 1])


def lines_of(seed: int, prompts: int = 8, seeds: int = 2) -> list[tuple]:
    values = np.random.default_rng(seed).uniform(1, 2, (seeds, prompts))
    lines = jackknifed("kid_effnet", 0.1 + 0.01 * seed) + jackknifed("frechet_effnet", 1.0 + seed)
    lines += [line for metric in ("lit_score", *PAIRS) for line in per_prompt(metric, values)]
    return lines + per_prompt("feature_variance_d1", values[0]) + per_prompt("feature_variance_d10", values[0])


@pytest.fixture(scope="module")
def measured() -> Measured:
    arms = {row.name: measurements(lines_of(i)) for i, row in enumerate(EXPERIMENT.rows)}
    real = {("pocket", "twemoji"): pd.Series({"kid_effnet": 0.001, "lit_score": 40.0})}
    samplers = {"uncached-50": 0.4, "FD-5": 0.3, "FD-10": 0.2}
    return Measured(EXPERIMENT, arms, cost(samplers, batches=COST["batches"]), real)


@pytest.fixture(scope="module")
def table(measured) -> pd.DataFrame:
    return measurement_table(measured)


def test_what_a_person_opens_has_at_most_40_columns_and_names_the_place(measured, table):
    table = results_table(measured, wide(table, EXPERIMENT))
    assert len(table.columns) <= AT_MOST and list(table["variation"]) == [row.name for row in EXPERIMENT.rows]
    assert table.loc[0, ["backbone", "dataset", "scenario", "role"]].tolist() == ["pocket", "twemoji", "clean", "plain"]
    assert table["machine"].unique().tolist() == ["a CPU"] and table[["n_images", "n_prompts", "n_seeds"]].iloc[0].tolist() == [
        16,
        8,
        2,
    ]
    for metric in ("kid_effnet", "frechet_effnet", "lit_score", "st_lpips_alex_own"):
        assert {metric, f"{metric}_low", f"{metric}_high", f"{metric}_delta"} <= set(table)
    assert {"feature_variance_d10", "speedup_b1_low", "speedup_b8_high", "peak_tensor_mb_b1"} <= set(table)


def test_the_measurements_have_everything_and_survive_the_file_to_the_last_bit(table, tmp_path):
    table.to_csv(tmp_path / "m.csv", index=False)
    pd.testing.assert_frame_equal(read_measurement_table(tmp_path / "m.csv"), table, check_exact=True, check_dtype=False)
    rows = wide(table, EXPERIMENT).set_index("variation")
    fcr, goal, control = "FCR(0.10)-FD-10", "FD-5", "FCR(0)-FD-10"
    for name, rival in (("delta", goal), ("from_control", control)):
        gap = rows.loc[fcr, "latent_mse_own"] - rows.loc[rival, "latent_mse_own"]
        assert rows.loc[fcr, f"latent_mse_own_{name}"] == pytest.approx(gap)
    assert np.isnan(rows.loc[goal, "latent_mse_own_from_control"]) and rows.loc[goal, "latent_mse_own_delta"] == 0
    assert rows.loc[fcr, "kid_effnet_real"] == 0.001 and rows.loc[fcr, "latency_ms_b2_q25"] < rows.loc[fcr, "latency_ms_b2_q75"]
    assert (rows["latent_mse_own_delta_p_holm"].dropna() >= rows["latent_mse_own_delta_p"].dropna()).all()


def test_the_page_says_who_drew_what(measured, table):
    text = page(measured, wide(table, EXPERIMENT), criteria_table(measured))
    assert "Drawn by pocket on twemoji, clean. n = 16 images a row: 8 prompts x 2 seeds." in text
    assert "| *real images*" in text and "## Cost" in text and "criteria" not in text


def written(experiment: Experiment, paths: Paths) -> None:
    """The files of an experiment that measures pairs and variance."""
    for i, row in enumerate(experiment.rows):
        table = long(lines_of(i))
        per_image = table["metric"].isin(PAIRS)
        for file, lines in zip(paths.measurements(row, experiment.measures, []), (per_image, ~per_image), strict=True):
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            chosen = table[lines & (per_image | table["metric"].str.startswith("feature_variance"))]
            chosen.to_parquet(file, index=False)


def test_a_smaller_experiment_takes_its_own_seeds_and_first_prompts_of_a_shared_cell(tmp_path):
    ours = experiment_of(ROWS, seeds=[1], prompts=3, measures=["pairs", "variance"])
    paths = Paths(str(tmp_path))
    written(ours, paths)
    arm = read_measurements(ours, paths, [])["FD-5"]
    pairs = arm.by_metric["latent_mse_own"]
    assert pairs["prompt_id"].unique().tolist() == ["p0", "p1", "p2"] and pairs["seed"].unique().tolist() == [1]
    # Published weights have no seed, and real images are strata of one design: all of them count.
    assert len(arm.by_metric["feature_variance_d10"]) == 8


def test_sets_that_were_judged_with_more_images_are_refused(tmp_path):
    ours = experiment_of(["uncached"], goal=None, seeds=[0], prompts=3, measures=["sets", "image_text"])
    paths = Paths(str(tmp_path))
    for file in paths.measurements(ours.rows[0], ours.measures, ["kid"]):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        table = long(lines_of(0, seeds=1))
        table[table["metric"] == ("kid_effnet" if "/kid/" in file else "lit_score")].to_parquet(file, index=False)
    with pytest.raises(ValueError, match="more seeds or prompts than ours asks for"):
        read_measurements(ours, paths, ["kid"])


def test_several_backbones_and_data_sets_have_rows_and_goals_of_their_own():
    ours = experiment_of(
        [{"stride": [5, 10]}], backbones=["pocket", "pocket-flat"], datasets=["twemoji", "noto"], measures=["pairs"]
    )
    arms = {row.name: measurements(per_prompt("latent_mse_own", np.arange(1.0, 9) * (i + 1))) for i, row in enumerate(ours.rows)}
    measured = Measured(ours, arms)
    rows = wide(measurement_table(measured), ours).set_index("variation")
    assert rows[["backbone", "dataset"]].drop_duplicates().to_numpy().tolist() == [
        ["pocket", "twemoji"], ["pocket", "noto"], ["pocket-flat", "twemoji"], ["pocket-flat", "noto"]
    ]  # fmt: skip
    assert "pocket-flat-FD-10 on noto" in rows.index
    assert rows.groupby(["backbone", "dataset"])["latent_mse_own_delta"].first().tolist() == [0] * 4
    table = results_table(measured, rows.reset_index())
    assert "machine" not in table and "unet_gflops" not in table
    text = page(measured, rows.reset_index(), criteria_table(measured))
    assert "pocket on noto, clean; pocket-flat on twemoji, clean" in text and "## Cost" not in text
