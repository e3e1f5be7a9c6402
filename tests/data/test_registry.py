"""What the registry says of data sets is so."""

import pytest

from fcr_core.data import DATASETS, load
from fcr_core.data.registry import DataSet


@pytest.mark.parametrize("name", [name for name, dataset in DATASETS.items() if dataset.reads == "package"])
def test_the_counts_of_packaged_sets_are_those_of_the_packages(name):
    train, test = (load(name, split) for split in ("train", "test"))
    dataset = DATASETS[name]
    assert dataset.images == (len(train), len(test))
    assert dataset.prompts == len({record.concept for record in test})


def test_the_noise_of_a_new_set_is_its_own_and_that_of_the_first_sets_stays():
    assert DataSet("mine").noise_id == "mine/"
    assert {dataset.noise_id for dataset in DATASETS.values() if dataset.reads != "download"} == {""}
    assert DATASETS["illustrations"].noise_id != DATASETS["unseen_illustrations"].noise_id != ""


def test_a_set_is_drawn_at_the_size_asked_for():
    record = load("twemoji", "test")[0]
    assert record.image().size == record.image(64).size == (64, 64) and record.image(128).size == (128, 128)
    assert record.image().tobytes() == record.image(64).tobytes()
