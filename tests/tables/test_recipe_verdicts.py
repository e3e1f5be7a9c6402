import numpy as np
import pandas as pd
import pytest
from fcr_core.experiment.rows import Variation

from fcr_core.tables.exp1 import Measurements
from fcr_core.tables.recipe_verdicts import criteria_page, preserving, recipe_criteria

ROWS = [
    Variation("uncached-50", None, "uncached-50", "ddim", 50, 1),
    Variation("DDIM-10", None, "DDIM-10", "ddim", 10, 1),
    Variation("DDIM-20", None, "DDIM-20", "ddim", 20, 1),
    Variation("DPM++10", None, "DPM++10", "dpm++", 10, 1),
    Variation("FD-5", None, "FD-5", "ddim", 50, 5),
    Variation("good", None, "good", "ddim", 50, 3, 2),
    Variation("bad", "r", "bad", "ddim", 50, 10),
]
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
    rows = []
    for i in range(20):
        spread = 1 + 0.001 * (i - 9.5)
        per_prompt = {f"{metric}_{kind}": distance for metric in ("st_lpips_alex", "latent_mse") for kind in ("own", "base")}
        rows += [(metric, 0, f"p{i}", -1, value * spread) for metric, value in (per_prompt | {"lit_score": lit}).items()]
    for group in range(-1, 20):
        spread = 1 + 0.0001 * group
        rows += [("frechet_pca64_effnet", 0, "", group, frechet * spread), ("kid_effnet", 0, "", group, kid * spread)]
    return Measurements(pd.DataFrame(rows, columns=["metric", "seed", "prompt_id", "group", "value"]))


EFFICIENCY = pd.DataFrame(
    [
        {"sampler": name, "batch": 1, "repeat": i, "seconds": values[4] * (1 + 0.001 * i)}
        | {"peak_tensor_bytes": values[5], "loop_tensor_bytes": 0.5 * values[5]}
        for name, values in QUALITY.items()
        for i in range(5)
    ]
)


@pytest.fixture(scope="module")
def criteria() -> pd.DataFrame:
    return recipe_criteria(ROWS, {row.name: measured(row.name) for row in ROWS}, EFFICIENCY, ROWS[4], {"bad": 10})


def test_a_row_that_is_better_everywhere_meets_everything(criteria):
    good = criteria[criteria["variation"] == "good"]
    assert (good["verdict"] == "met").all() and good["asked"].sum() == 10 and len(good) == 16
    assert good.set_index("criterion").loc["speed-up at batch 1", "value"] == pytest.approx(2.0)
    assert "All met by: good." in criteria_page(criteria, "FD-5")


def test_a_row_that_is_worse_meets_nothing_but_is_judged_against_the_slowest_solver(criteria):
    bad = criteria[criteria["variation"] == "bad"].set_index("criterion")
    assert (bad["verdict"] == "not met").all()
    # Its own decoder's bytes count: 1015 + 10 over 1000, and 507.5 + 10 over 500.
    assert bad.loc["peak tensor memory at batch 1, relative change", "value"] == pytest.approx(0.025)
    loop = bad.loc["peak tensor memory of the sampling loop at batch 1, relative change"]
    assert loop["value"] == pytest.approx(0.035) and not loop["asked"]
    assert any("DDIM's (DDIM-20)" in name for name in bad.index)


def test_a_solver_of_no_less_latency_is_the_rival(criteria):
    """70 ms: of DDIM-10 (40) and DDIM-20 (80) the latter; DPM++ has only a faster one, so that."""
    names = criteria[criteria["variation"] == "good"]["criterion"]
    assert names.str.contains(r"DDIM-20").sum() == 4 and names.str.contains(r"DPM\+\+10").sum() == 4
    assert not names.str.contains("uncached-50").any()


def test_the_goal_and_plain_solvers_are_not_judged(criteria):
    assert set(criteria["variation"]) == {"good", "bad"} and np.isfinite(criteria["value"]).all()


def test_rows_that_lose_quality_are_left_out_of_what_follows(criteria):
    assert preserving(criteria) == ["good"]
    open_question = criteria.assign(verdict=criteria["verdict"].replace("not met", "inconclusive"))
    assert preserving(open_question) == ["good", "bad"]
