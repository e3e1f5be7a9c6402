import numpy as np
import pytest
from scipy.stats import gmean

from fcr_core.figures.front import figure
from fcr_core.tables.measured import Measured
from fcr_core.tables.measurement_table import measurement_table, wide
from fcr_core.tables.results import Results
from fcr_core.tables.verdicts import criteria_table, meeting_all

from ..experiments import cost, experiment_of, measurements, per_prompt

SAMPLERS = {"close": 10, "far": 11, "noisy": 12, "slower": 13}
ROWS = ["uncached", {"scheduler": "ddim", "steps": [20, 30]}, {"stride": 5}]
EXPERIMENT = experiment_of(
    [*ROWS, *({"stride": stride, "name": name} for name, stride in SAMPLERS.items())], criteria="twice_as_fast",
    cost={"batches": [20], "repeats": 4},
)  # fmt: skip
METRICS = ("latent_mse_own", "st_lpips_alex_own")


@pytest.fixture(scope="module")
def measured() -> Measured:
    """FD-5; one twice as fast and as close; two faster yet, 20 % further and as noisy as far; one close and not fast enough."""
    rng = np.random.default_rng(0)
    goal = rng.uniform(1, 2, 40)
    noisy = goal * rng.uniform(0, 2.2, 40)
    distances = {"FD-5": goal, "close": goal * 1.01, "far": goal * 1.2, "noisy": noisy, "slower": goal}
    distances |= {"uncached-50": 0 * goal, "DDIM-20": 3 * goal, "DDIM-30": 2 * goal}
    seconds = {"uncached-50": 0.4, "DDIM-20": 0.15, "DDIM-30": 0.2, "FD-5": 0.2}
    seconds |= {"FD-10": 0.09, "FD-11": 0.09, "FD-12": 0.09, "FD-13": 0.11}
    arms = {name: measurements(line for m in METRICS for line in per_prompt(m, values)) for name, values in distances.items()}
    return Measured(EXPERIMENT, arms, cost(seconds, batches=[20]))


def test_a_row_is_no_worse_only_if_its_bound_is_inside_the_margin(measured):
    criteria = criteria_table(measured)
    of_latents = criteria[criteria["metric"] == "latent_mse_own"].set_index("variation")["verdict"]
    assert of_latents[list(SAMPLERS)].to_dict() == {"close": "met", "far": "not met", "noisy": "inconclusive", "slower": "met"}
    speed = criteria[criteria["kind"] == "speed"].set_index("variation")
    assert speed.loc["close", "value"] == pytest.approx(gmean(np.full(4, 0.2 / 0.09)))
    assert speed["verdict"][list(SAMPLERS)].to_dict() == {"close": "met", "far": "met", "noisy": "met", "slower": "not met"}


def test_better_is_twice_as_fast_and_as_close_and_plain_solvers_are_judged_too(measured):
    criteria = criteria_table(measured)
    assert meeting_all(criteria) == ["close"]
    assert set(criteria["variation"]) == {*SAMPLERS, "DDIM-20", "DDIM-30"}


def test_the_front_names_every_family_and_the_goal(measured):
    rows = wide(measurement_table(measured), EXPERIMENT)
    drawn = figure(Results(EXPERIMENT, rows, criteria_table(measured)))
    labels = {text.get_text() for text in drawn.axes[-1].get_legend().get_texts()}
    assert {"DDIM-N", "FD cut 0", "front", "the goal, FD-5", "cached, and meets all criteria", "uncached-50"} <= labels
