"""The scripts behind `make backbone`, a few steps each on real pictures."""

import json
from argparse import Namespace
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from fcr_core.backbones.loading import load_pipeline
from fcr_core.data import load
from fcr_core.data.prepared import prepare
from fcr_core.training.training_set import StreamedSet, encode_training_set
from workflow_scripts import pretrain_unet, pretrain_vae

OF = {"name": "pocket", "device": "cpu", "batch": 4, "lr": 1e-3, "seed": 0}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Twelve emoji as a prepared data set."""
    folder = tmp_path_factory.mktemp("data") / "twemoji"
    prepare(load("twemoji", "train")[:12], folder, "twemoji")
    return folder


@pytest.fixture(scope="module")
def with_vae(pictures, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("vae") / "pipeline"
    pretrain_vae.work(Namespace(**OF, data=[pictures], steps=2, out=out))
    return out


@pytest.fixture(scope="module")
def train_set(with_vae, pictures) -> Path:
    file = with_vae.parent / "train_set.safetensors"
    encode_training_set(StreamedSet.of(load_pipeline(with_vae), pictures), file.with_suffix(".state")).save(file)
    return file


def train_unet(pipeline: Path, train_set: Path, out: Path, steps: int) -> pd.DataFrame:
    """The log of the run."""
    pretrain_unet.work(Namespace(**OF, pipeline=pipeline, train_set=train_set, steps=steps, out=out))
    return pd.read_csv(out / "unet" / "log.csv")


def test_two_stages_make_a_pipeline_that_records_both(with_vae, train_set, tmp_path):
    log = train_unet(with_vae, train_set, tmp_path, 3)
    for name, steps in (("vae", 2), ("unet", 3)):
        record = json.loads((tmp_path / name / "run.json").read_text())
        assert record["steps"] == steps and record["hours"] > 0 and record["settings"]["images"] == "12"
        assert Image.open(tmp_path / name / "loss.png").size == (450, 300)
    assert log["step"].tolist() == [1, 2, 3]
    weights = [folder / "unet" / "diffusion_pytorch_model.safetensors" for folder in (with_vae, tmp_path)]
    assert weights[0].read_bytes() != weights[1].read_bytes()
    assert load_pipeline(tmp_path)("red apple", num_inference_steps=2).images[0].size == (64, 64)


def test_more_steps_go_on_from_the_last_checkpoint(with_vae, train_set, tmp_path):
    first = train_unet(with_vae, train_set, tmp_path / "pipeline", 2)
    longer = train_unet(with_vae, train_set, tmp_path / "pipeline", 3)
    assert longer.head(2).equals(first) and len(longer) == 3


def test_other_pictures_train_the_vae_anew(pictures, tmp_path):
    others = tmp_path / "others"
    prepare(load("twemoji", "train")[12:24], others, "twemoji")
    for folder, steps in ((pictures, 2), (others, 1)):
        pretrain_vae.work(Namespace(**OF, data=[folder], steps=steps, out=tmp_path / "pipeline"))
    assert json.loads((tmp_path / "pipeline" / "vae" / "run.json").read_text())["steps"] == 1
