import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler

from fcr_core import KeySteps
from fcr_core.caching.plan import Plan
from fcr_core.caching.run_state import time_variable


@pytest.mark.parametrize("steps, stride", [(50, 1), (50, 5), (50, 15), (50, 20), (7, 7)])
def test_groups_cover_all_steps_and_start_at_multiples_of_the_stride(steps, stride):
    groups = KeySteps.uniform(stride).groups(steps)
    assert [step for group in groups for step in group] == list(range(steps))
    assert [group.start for group in groups] == list(range(0, steps, stride))


def test_the_last_group_may_be_shorter():
    assert [len(group) for group in KeySteps.uniform(15).groups(50)] == [15, 15, 15, 5]


def test_explicit_key_steps():
    assert [len(g) for g in KeySteps.explicit([0, 1, 2, 3, 5, 10, 15, 25, 35]).groups(50)] == [1, 1, 1, 2, 5, 5, 10, 10, 15]


@pytest.mark.parametrize(
    "make", [lambda: KeySteps.uniform(0), lambda: KeySteps.explicit([1, 2]), lambda: KeySteps.explicit([0, 0])]
)
def test_impossible_key_steps_are_refused(make):
    with pytest.raises(ValueError, match=r"stride|key steps"):
        make()


def test_a_stride_beyond_the_steps_is_refused():
    with pytest.raises(ValueError, match="do not fit into 5"):
        KeySteps.uniform(6).groups(5)


def test_the_list_of_faster_diffusion_is_for_fifty_steps():
    assert [len(g) for g in KeySteps.named("50ls").groups(50)] == [1, 1, 1, 2, 5, 5, 10, 10, 15]
    with pytest.raises(ValueError, match="do not fit into 40"):
        KeySteps.named("50ls").groups(40)
    with pytest.raises(ValueError, match="no key steps named '75ls': choose one of"):
        KeySteps.named("75ls")


def test_warm_up_steps_are_dense():
    assert [len(g) for g in KeySteps.uniform(5, warmup=3).groups(14)] == [1, 1, 1, 5, 5, 1]


def test_calibrated_groups_span_equal_shares_of_the_drift():
    """A drift that falls as 1/t: key steps at equal steps of log t, dense first."""
    drift = 1 / np.arange(1.0, 50)
    indices = KeySteps.calibrated(drift, 5).indices
    travelled = np.concatenate([[0], np.cumsum(drift)])[list(indices)] / drift.sum()
    assert np.allclose(travelled, np.arange(5) / 5, atol=0.25) and np.all(np.diff(np.diff(indices)) >= 0)
    assert KeySteps.calibrated(np.ones(49), 5).indices == (0, 10, 20, 30, 40)
    assert KeySteps.calibrated(np.ones(3), 4).indices == (0, 1, 2, 3)
    assert KeySteps.calibrated(np.array([0.0, 0, 0, 9]), 3).indices == (0, 3, 4)
    with pytest.raises(ValueError, match="5 key steps do not fit into 4"):
        KeySteps.calibrated(np.ones(3), 5)


def test_nodes_are_the_key_step_the_last_and_evenly_between():
    plan = Plan(KeySteps.uniform(10), nodes=2)
    assert plan.decoded(range(10, 20)) == [10, 19] and plan.decoded(range(3, 4)) == [3] and plan.decoded(range(3, 5)) == [3, 4]
    assert Plan(KeySteps.uniform(10), nodes=1).decoded(range(10, 20)) == [10]


@pytest.mark.parametrize("scheduler", [DDIMScheduler, EulerDiscreteScheduler, DPMSolverMultistepScheduler])
def test_the_time_variable_is_the_solvers_own(scheduler):
    made = scheduler(beta_schedule="scaled_linear")
    made.set_timesteps(10)
    t = made.timesteps.float()
    alphas = torch.from_numpy(np.interp(t, np.arange(1000), made.alphas_cumprod))
    sigma = ((1 - alphas) / alphas).sqrt()
    expected = {"DDIMScheduler": t, "EulerDiscreteScheduler": sigma, "DPMSolverMultistepScheduler": -sigma.log()}
    torch.testing.assert_close(time_variable(made), expected[scheduler.__name__].float(), rtol=2e-2, atol=1e-2)
