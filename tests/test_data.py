import hashlib

import pytest

from fcr_core.data import DATASETS, load
from fcr_core.data.emoji_art import SKIN_TONE
from fcr_core.data.prepared import images_of, prepare, prompts_of


@pytest.fixture(scope="module", params=sorted(DATASETS))
def records(request):
    return load(request.param)


def test_no_concept_stands_on_both_sides(records):
    train, test = ({r.concept for r in records if r.split == split} for split in ("train", "test"))
    assert not train & test
    assert 0.13 < len(test) / len(train | test) < 0.17


def test_skin_tones_share_a_concept_and_a_split(records):
    waving = [r for r in records if r.concept == "waving hand"]
    assert len(waving) == 6 and len({r.split for r in waving}) == 1
    assert not any(SKIN_TONE.search(r.concept) for r in records)


def test_no_picture_comes_twice_and_ids_are_unique(records):
    art = [hashlib.sha256(r.path.read_bytes()).digest() for r in records]
    assert len(set(art)) == len(records) == len({r.prompt_id for r in records})


def test_images_are_rgb_on_white(records):
    image = records[100].image()
    assert image.size == (64, 64) and image.mode == "RGB" and image.getpixel((0, 0)) == (255, 255, 255)


def test_the_sets_have_their_known_sizes():
    assert len(load("twemoji")) == 3950 and len(load("noto")) == 3306
    assert next(r for r in load("twemoji") if r.prompt_id == "1f34e").prompt == "red apple"


def test_the_split_of_a_concept_is_the_same_in_both_styles():
    split = {r.concept: r.split for r in load("twemoji")}
    assert all(split.get(r.concept, r.split) == r.split for r in load("noto"))


def test_an_unknown_set_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown data set 'coco': expected one of \['noto', 'twemoji'\]"):
        load("coco")


def test_a_prepared_set_reads_back(tmp_path):
    records = load("twemoji")[:40]
    prepare(records, tmp_path / "set", "twemoji")
    train = prompts_of(tmp_path / "set", "train")
    assert train["prompt_id"].tolist() == [r.prompt_id for r in records if r.split == "train"]
    image = images_of(tmp_path / "set", [records[0].prompt_id])[0]
    assert image.tobytes() == records[0].image().tobytes()
