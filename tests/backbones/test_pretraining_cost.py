import json

import pytest

from fcr_core.backbones.registry import BACKBONES

from ..workspace import ROOT

POCKET = ROOT / "models" / "pocket"


def test_a_share_needs_one_unit():
    sd15 = BACKBONES["sd15"].pretraining
    assert sd15.share({"steps": 10_000, "hours": 10.0, "gpu_hours": 30.0})["share_of_pretraining"] == 30 / 150_000
    assert sd15.share({"cpu_core_hours": 30.0}) == {}


def test_what_the_pocket_backbone_took_is_what_its_networks_say():
    hours = sum(json.loads((POCKET / network / "run.json").read_text())["hours"] for network in ("unet", "vae"))
    assert BACKBONES["pocket"].pretraining.hours == pytest.approx(2 * hours)
