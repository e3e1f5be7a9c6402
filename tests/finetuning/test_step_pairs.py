import pytest
import torch

from fcr_core.finetuning.step_pairs import draw_group_pairs, draw_time_pairs, group_deltas, plan_deltas


def test_time_pairs_are_uniform_on_their_ranges():
    t, t2 = draw_time_pairs(200_000, range(1, 11), 1000, torch.Generator().manual_seed(0))
    delta = t - t2
    assert delta.min() == 1 and delta.max() == 10 and t2.min() == 0 and t.max() == 999
    counts = torch.bincount(delta)[1:]
    assert (counts / 20_000 - 1).abs().max() < 0.05
    # Given Δ = 10, t is uniform on 10..999: its mean is 504.5, standard error 2.
    assert abs(t[delta == 10].float().mean() - 504.5) < 10


def test_matched_deltas_are_those_of_a_samplers_group():
    t, t2 = draw_time_pairs(1000, group_deltas(10, 50, 1000), 1000, torch.Generator().manual_seed(0))
    assert set((t - t2).tolist()) == set(range(20, 200, 20)) and t2.min() >= 0


def test_group_pairs_are_a_key_step_and_a_step_of_its_group():
    """Stride 15 of 50: the last group has five steps, so four pairs."""
    key, step = draw_group_pairs(5000, 15, 50, torch.Generator().manual_seed(0))
    pairs = set(zip(key.tolist(), step.tolist(), strict=True))
    assert pairs == {(k, s) for k in (0, 15, 30, 45) for s in range(k + 1, min(k + 15, 50))}


@pytest.mark.parametrize("times", [10, 1000])
@pytest.mark.parametrize("deltas", [range(1, 10), range(1, 3000), [5, 9, 5000], range(-3, 4)])
def test_time_pairs_lie_within_the_schedule_whatever_is_asked_for(deltas, times):
    t, t2 = draw_time_pairs(3000, deltas, times, torch.Generator().manual_seed(0))
    assert t2.min() >= 0 and t.max() < times and (t - t2).min() >= 1
    assert set((t - t2).tolist()) <= {*deltas}


@pytest.mark.parametrize("deltas", [[1000], range(1000, 1010), [0], [-5], []])
def test_deltas_without_a_pair_are_refused(deltas):
    with pytest.raises(ValueError, match="must be 1 to 999, within the training timesteps"):
        draw_time_pairs(4, deltas, 1000, torch.Generator())


def test_the_plans_deltas_reach_to_a_delta_max_within_the_schedule():
    assert plan_deltas(10, 1000) == range(1, 11) and plan_deltas(999, 1000)[-1] == 999
    for largest in (0, 1000, 5000):
        with pytest.raises(ValueError, match=f"max_delta = {largest}: must be 1 to 999"):
            plan_deltas(largest, 1000)


@pytest.mark.parametrize("stride, steps", [(1, 50), (51, 50), (5, 2000)])
def test_groups_that_no_sampler_has_are_refused(stride, steps):
    with pytest.raises(ValueError, match="stride"):
        group_deltas(stride, steps, 1000)
    if steps <= 50:
        with pytest.raises(ValueError, match=f"stride = {stride}: must be 2 to the sampling steps, 50"):
            draw_group_pairs(4, stride, steps, torch.Generator())
