import json
from argparse import Namespace
from itertools import combinations

import pytest

from fcr_core.caching.key_search import GAIN, evenly_spread, read_keys, search_key_steps
from fcr_core.caching.plan import KeySteps, Plan
from fcr_core.sampling.cached_distance import cached_distance
from workflow_scripts import search_key_steps as script

from ..finetuning.test_cache_aware_term import trajectories_of
from ..workspace import ROOT


def held(keys, values):
    """Squared error of holding each key step's value to the next key step: what key steps cost, in its simplest form."""
    groups = KeySteps.explicit(keys).groups(len(values))
    return sum((values[step] - values[group.start]) ** 2 for group in groups for step in group)


def test_key_steps_go_where_holding_costs_most():
    values = [step**2 for step in range(12)]
    found = search_key_steps(lambda keys: held(keys, values), 12, 4)
    assert found == (0, 5, 8, 10) == min(((0, *rest) for rest in combinations(range(1, 12), 3)), key=lambda k: held(k, values))


def test_no_move_of_a_single_key_step_is_worth_it_at_the_end():
    values = [((7 * step) % 11) / 11 for step in range(20)]
    found = search_key_steps(lambda keys: held(keys, values), 20, 5)
    least = held(found, values)
    assert least <= held(evenly_spread(20, 5), values)
    for which in range(1, 5):
        for move in (-2, -1, 1, 2):
            moved = [*found[:which], found[which] + move, *found[which + 1 :]]
            if sorted({*moved}) == moved and moved[-1] < 20:
                assert held(moved, values) >= (1 - GAIN) * least


@pytest.mark.parametrize("count", [1, 9])
def test_a_count_that_does_not_fit_is_refused(count):
    with pytest.raises(ValueError, match="choose 2 to 8"):
        search_key_steps(len, 8, count)


@pytest.mark.slow
def test_a_killed_search_goes_on_and_ends_byte_identical(pocket_pipe, tmp_path, monkeypatch):
    trajectories = trajectories_of(pocket_pipe)
    trajectories.save(tmp_path / "trajectories.safetensors")
    plan = {"cut": 2, "reuse": "linear"}
    calls = []

    def counted(*args):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return cached_distance(*args)

    def search(out):
        given = {"pipeline": str(ROOT / "models" / "pocket"), "trajectories": tmp_path / "trajectories.safetensors"}
        script.work(Namespace(**given, plan=plan | {"keys": 3}, device="cpu", code="", out=tmp_path / out))

    search("whole.json")
    monkeypatch.setattr(script, "cached_distance", counted)
    with pytest.raises(KeyboardInterrupt):
        search("killed.json")
    search("killed.json")
    result = json.loads((tmp_path / "killed.json").read_text())
    assert len(calls) == result["n_plans"] + 1  # of the two that were measured before, none again
    assert (tmp_path / "killed.json").read_bytes() == (tmp_path / "whole.json").read_bytes()
    keys = read_keys(tmp_path / "killed.json")
    assert result["latent_mse"] == cached_distance(pocket_pipe, trajectories, Plan(KeySteps.explicit(keys), **plan))
    assert result["latent_mse"] <= result["latent_mse_evenly_spread"]
