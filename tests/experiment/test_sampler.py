"""Samplers are named as the literature names them, and a new option of a plan needs one field."""

from dataclasses import dataclass, field

import pytest

from fcr_core.caching import plan as plan_module
from fcr_core.caching.plan import KeySteps, Plan
from fcr_core.experiment import sampler as sampler_module
from fcr_core.experiment.sampler import Sampler

DEFAULTS = {"scheduler": "ddim", "steps": 50, "guidance": 3.0}


@pytest.mark.parametrize(
    "row, name",
    [
        ({}, "uncached-50"),
        ({"scheduler": "ddim", "steps": 35}, "DDIM-35"),
        ({"scheduler": "dpm++", "steps": 20}, "DPM++20"),
        ({"scheduler": "unipc", "steps": 50}, "UniPC-50"),
        ({"stride": 10}, "FD-10"),
        ({"stride": 5, "cut": 2, "reuse": "linear"}, "FD-5-cut2-linear"),
        ({"stride": 5, "nodes": 2}, "FD-5-nodes2"),
        ({"keys": 10, "cut": 2, "reuse": "linear"}, "FD-10keys-cut2-linear"),
        ({"keys": "50ls"}, "FD-50ls"),
        ({"keys": {"at": [0, 9, 30]}}, "FD-keys0.9.30"),
        ({"stride": 5, "cut": 1, "live": True}, "DeepCache-5-cut1"),
        ({"stride": 10, "prior_noise": 0.003}, "FD-10-noise0.003"),
        ({"scheduler": "dpm++", "steps": 20, "stride": 2}, "DPM++20-FD-2"),
        ({"stride": 10, "guidance": 7.5}, "FD-10-g7.5"),
        ({"stride": 4, "warmup": 2}, "FD-4-warmup2"),
    ],
)
def test_names_say_what_differs_from_faster_diffusion(row, name):
    sampler = Sampler.from_config(row, DEFAULTS)
    assert sampler.name == name and Sampler.from_json(sampler.json) == sampler


def test_the_backbones_guidance_is_not_named():
    assert Sampler.from_config({"stride": 5}, DEFAULTS | {"guidance": 7.5}).name == "FD-5"


def test_searched_key_steps_take_the_place_of_their_number():
    sampler = Sampler.from_config({"keys": 3, "cut": 2}, DEFAULTS)
    assert sampler.wants_keys and sampler.with_keys([0, 7, 20]).plan == Plan(KeySteps.explicit([0, 7, 20]), cut=2)
    with pytest.raises(ValueError, match="still to be chosen"):
        sampler.plan.keys.groups(50)


def test_a_new_option_of_the_cached_sampler_is_one_field(monkeypatch):
    @dataclass(frozen=True)
    class Damped(Plan):
        damping: float = field(default=1.0, metadata={"name": "damp{}"})

    monkeypatch.setattr(plan_module, "Plan", Damped)
    monkeypatch.setattr(sampler_module, "Plan", Damped)
    sampler = Sampler.from_config({"stride": 5, "cut": 2, "damping": 0.5}, DEFAULTS)
    assert sampler.name == "FD-5-cut2-damp0.5" and sampler.plan.damping == 0.5
    assert sampler.json["plan"] == {"stride": 5, "cut": 2, "damping": 0.5}
    assert Sampler.from_json(sampler.json) == sampler
    assert Sampler.from_config({"stride": 5, "cut": 2}, DEFAULTS).name == "FD-5-cut2"
