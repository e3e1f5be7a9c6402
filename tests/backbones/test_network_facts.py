"""What is known of networks before they are loaded is what the loaded ones are."""

import json
import shutil
import subprocess
import sys

import pytest

from fcr_core.backbones.network_facts import NetworkFacts
from fcr_core.backbones.registry import BACKBONES

from ..random_pipelines import TINY_UNET, TINY_VAE, write_pipeline
from ..workspace import ROOT


def test_a_folder_says_what_its_networks_are(pocket_pipe):
    facts = NetworkFacts.of(str(ROOT / "models" / "pocket"), BACKBONES["pocket"])
    assert facts.blocks == len(pocket_pipe.unet.up_blocks) and facts.scale == pocket_pipe.vae_scale_factor
    assert facts.train_timesteps == pocket_pipe.scheduler.config.num_train_timesteps
    assert facts.side == pocket_pipe.unet.config.sample_size * pocket_pipe.vae_scale_factor == 64
    assert facts.encoder_blocks == ["conv_in", "down.0", "down.1", "down.2", "mid"]


def test_any_pipeline_in_diffusers_layout_is_read(tmp_path):
    folder = write_pipeline(tmp_path / "tiny", prediction="v_prediction")
    facts = NetworkFacts.of(str(folder), BACKBONES["sd15"])
    assert facts == NetworkFacts("v_prediction", 1000, len(TINY_UNET["up_block_types"]), 2, 16)
    assert TINY_VAE["sample_size"] == 16


@pytest.mark.parametrize("name", [name for name, backbone in BACKBONES.items() if backbone.networks])
def test_of_a_repository_the_published_networks_are_known(name):
    facts = NetworkFacts.of(BACKBONES[name].location(), BACKBONES[name])
    assert facts.blocks in (3, 4) and facts.scale == 8 and facts.train_timesteps == 1000
    assert facts.predicts == BACKBONES[name].objective and facts.side is None


@pytest.mark.parametrize("content, says", [("{", "is no JSON"), ("[1]", "holds no JSON object")])
def test_a_broken_file_is_named(tmp_path, content, says):
    folder = tmp_path / "pocket"
    shutil.copytree(ROOT / "models" / "pocket" / "unet", folder / "unet", ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / "unet" / "config.json").write_text(content)
    with pytest.raises(ValueError, match="unet/config.json " + says):
        NetworkFacts.of(str(folder), BACKBONES["pocket"])


def test_another_number_of_timesteps_is_read(tmp_path):
    (tmp_path / "scheduler").mkdir()
    (tmp_path / "scheduler" / "scheduler_config.json").write_text(json.dumps({"num_train_timesteps": 50}))
    assert NetworkFacts.of(str(tmp_path), BACKBONES["pocket"]).train_timesteps == 50


def test_facts_need_no_torch():
    code = "import sys, fcr_core.backbones.network_facts; print(sorted({'torch', 'diffusers'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout == "[]\n"
