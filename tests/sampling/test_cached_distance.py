from dataclasses import replace

import pytest

from fcr_core.caching.plan import KeySteps, Plan
from fcr_core.sampling.cached_distance import cached_distance, shared_distance

from ..finetuning.test_cache_aware_term import trajectories_of


def test_the_distance_is_that_of_the_cached_sampler_to_the_trajectories(pocket_pipe):
    wanted = trajectories_of(pocket_pipe)
    plan = Plan(KeySteps.uniform(4))
    ends = trajectories_of(pocket_pipe, plan).latents[:, -1]
    expected = (ends - wanted.latents[:, -1]).square().mean().item()
    assert cached_distance(pocket_pipe, wanted, plan) == pytest.approx(expected) and expected > 1e-4
    assert cached_distance(pocket_pipe, wanted, Plan(KeySteps.uniform(1))) < 1e-9
    only_ends = replace(wanted, latents=wanted.latents[:, [0, -1]])
    assert cached_distance(pocket_pipe, only_ends, plan) == pytest.approx(expected)
    assert shared_distance(pocket_pipe, only_ends, plan) == pytest.approx(expected)
