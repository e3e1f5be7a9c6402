import hashlib

import pandas as pd
import pytest
from PIL import Image

from fcr_core.data import load
from fcr_core.data.emoji_art import SKIN_TONE
from fcr_core.data.prepared import balanced, images_of, one_a_concept, prepare, prompts_of
from fcr_core.data.registry import CaptionedImage


@pytest.fixture(scope="module", params=["noto", "twemoji"])
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
    with pytest.raises(ValueError, match=r"unknown data set 'cocoa': expected one of \['artbench', 'coco', "):
        load("cocoa")


def test_a_prepared_set_reads_back(tmp_path):
    records = load("twemoji")[:40]
    prepare(records, tmp_path / "set", "twemoji")
    train = prompts_of(tmp_path / "set", "train")
    assert train["prompt_id"].tolist() == [r.prompt_id for r in records if r.split == "train"]
    image = images_of(tmp_path / "set", [records[0].prompt_id])[0]
    assert image.tobytes() == records[0].image().tobytes()


def test_images_that_are_not_copied_are_cropped_when_they_are_read(tmp_path):
    wide = Image.new("RGB", (90, 30), "red")
    wide.paste("blue", (30, 0, 60, 30))
    wide.save(tmp_path / "wide.png")
    records = [
        CaptionedImage("wide", "a flag", "wide", tmp_path / "wide.png", official_split="train"),
        CaptionedImage("none", "a word", "none", official_split="train"),
    ]
    prepare(records, tmp_path / "set", "mine", size=10)
    assert prompts_of(tmp_path / "set", "train")["image"].notna().tolist() == [True, False]
    image = images_of(tmp_path / "set", ["wide"])[0]
    assert image.size == (10, 10) and min(blue for _, _, blue in image.get_flattened_data()) > 200
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["prompts.parquet"]
    with pytest.raises(ValueError, match="1 of 2 prompts have no image, the first is none"):
        images_of(tmp_path / "set", ["wide", "none"])
    with pytest.raises(ValueError, match=r"mine has images of its own sizes: say to what side"):
        prepare(records, tmp_path / "set", "mine")


def test_part_of_a_training_split_has_as_many_images_of_each_concept():
    table = pd.DataFrame({"prompt_id": [f"{i}" for i in range(30)], "concept": ["cat"] * 20 + ["dog"] * 10})
    part = balanced(table, 8)
    assert part["concept"].tolist() == ["cat"] * 4 + ["dog"] * 4
    assert set(part["prompt_id"]) < set(balanced(table, 9)["prompt_id"])
    # When the dogs are used up the rest are cats.
    assert balanced(table, 25)["concept"].value_counts().to_dict() == {"cat": 15, "dog": 10}
    with pytest.raises(ValueError, match=r"config key datasets\.….train_images = 31: the training split has only 30"):
        balanced(table, 31)


def test_one_prompt_of_each_concept_is_taken_in_an_order_that_no_file_decides():
    # SHA-256: d 18ac, c 2e7d, b 3e23, a ca97.
    table = pd.DataFrame({"prompt_id": list("abcd"), "concept": ["cat", "cat", "dog", "dog"]})
    assert one_a_concept(table)["prompt_id"].tolist() == ["d", "b"]
    assert one_a_concept(table[::-1])["prompt_id"].tolist() == ["d", "b"]
