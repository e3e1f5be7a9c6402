import numpy as np
import pandas as pd
import pytest

from fcr_core.tables.markdown import verdicts
from fcr_core.tables.measured import Measured
from fcr_core.tables.measurements import Measurements
from fcr_core.tables.verdicts import criteria_table, meeting_all, preserving, preserving_rows

from ..experiments import cost, experiment_of, jackknifed, measurements, per_prompt

EXPERIMENT = experiment_of(
    [
        "uncached",
        {"scheduler": "ddim", "steps": [10, 20]},
        {"scheduler": "dpm++", "steps": 10},
        {"stride": 5},
        {"stride": 3, "cut": 2, "name": "good"},
        {"stride": 10, "recipe": "decoder-10-cut2", "name": "bad"},
    ],
    criteria="recipe",
)
# Distance to the uncached output, Fréchet distance and KID, LiT score, milliseconds, bytes.
QUALITY = {
    "uncached-50": (0.0, 100, 0.1, 10.0, 200, 900),
    "DDIM-10": (0.02, 105, 0.2, 9.9, 40, 900),
    "DDIM-20": (0.01, 101, 0.1, 10.0, 80, 900),
    "DPM++10": (0.02, 110, 0.2, 9.9, 40, 900),
    "FD-5": (0.02, 110, 0.3, 9.9, 140, 1000),
    "good": (0.001, 100, 0.1, 10.0, 70, 800),
    "bad": (0.1, 140, 0.5, 9.0, 130, 1015),
}


def measured(name: str) -> Measurements:
    """20 prompts, each its own group, that differ a little."""
    distance, frechet, kid, lit, *_ = QUALITY[name]
    spread = 1 + 0.001 * (np.arange(20) - 9.5)
    single = {f"{metric}_{kind}": distance for metric in ("st_lpips_alex", "latent_mse") for kind in ("own", "base")}
    lines = [line for metric, value in (single | {"lit_score": lit}).items() for line in per_prompt(metric, value * spread)]
    return measurements(lines + jackknifed("frechet_pca64_effnet", frechet) + jackknifed("kid_effnet", kid))


@pytest.fixture(scope="module")
def criteria() -> pd.DataFrame:
    samplers = {row.cell.sampler.name: QUALITY[row.name] for row in EXPERIMENT.rows}
    clock = cost({name: values[4] for name, values in samplers.items()}, **{name: v[5] for name, v in samplers.items()})
    arms = {row.name: measured(row.name) for row in EXPERIMENT.rows}
    return criteria_table(Measured(EXPERIMENT, arms, clock, decoder_bytes={"bad": 10}))


def test_a_row_that_is_better_everywhere_meets_everything(criteria):
    good = criteria[criteria["variation"] == "good"]
    assert (good["verdict"] == "met").all() and good["asked"].sum() == 10 and len(good) == 16
    assert good.set_index("criterion").loc["speed-up at batch 1", "value"] == pytest.approx(2.0)
    assert meeting_all(criteria) == ["good"] and "All met by: good." in verdicts(criteria, "Criteria", "FD-5")


def test_a_row_that_is_worse_meets_nothing_but_is_judged_against_the_slowest_solver(criteria):
    bad = criteria[criteria["variation"] == "bad"].set_index("criterion")
    assert (bad["verdict"] == "not met").all()
    # Its own decoder's bytes count: 1015 + 10 over 1000, and 507.5 + 10 over 500.
    assert bad.loc["peak tensor memory at batch 1, relative change", "value"] == pytest.approx(0.025)
    loop = bad.loc["peak tensor memory of the sampling loop at batch 1, relative change"]
    assert loop["value"] == pytest.approx(0.035) and not loop["asked"]
    assert "DDIM-20" in set(bad["against"])


def test_a_solver_of_no_less_latency_is_the_rival(criteria):
    """70 ms: of DDIM-10 (40) and DDIM-20 (80) the latter; DPM++ has only a faster one, so that."""
    good = criteria[(criteria["variation"] == "good") & (criteria["kind"] == "solvers")]
    assert good["against"].value_counts().to_dict() == {"DDIM-20": 4, "DPM++10": 4}
    assert (
        good["criterion"].str.contains("less DDIM's").sum() == 4 and good["criterion"].str.contains(r"less DPM\+\+'s").sum() == 4
    )


def test_the_goal_and_plain_solvers_are_not_judged(criteria):
    assert set(criteria["variation"]) == {"good", "bad"} and np.isfinite(criteria["value"]).all()


def test_rows_that_lose_quality_are_left_out_of_what_follows(criteria):
    assert preserving(criteria) == ["good"]
    assert [row.name for row in preserving_rows(EXPERIMENT, criteria)] == ["uncached-50", "FD-5", "good"]
    open_question = criteria.assign(verdict=criteria["verdict"].replace("not met", "inconclusive"))
    assert preserving(open_question) == ["good", "bad"]
