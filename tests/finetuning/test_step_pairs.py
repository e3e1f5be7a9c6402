import torch

from fcr_core.finetuning.step_pairs import draw_group_pairs, draw_time_pairs, group_deltas


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
