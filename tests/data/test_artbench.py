"""ArtBench with what systems leave in its folders, and with folders that are empty."""

import logging

import pytest

from fcr_core.data import load
from fcr_core.data.artbench import STYLES

from .test_official import jpeg, write


@pytest.fixture
def paintings(tmp_path):
    for split in ("train", "test"):
        for style in STYLES:
            write(tmp_path / split / style / f"{split}-{style}.JPG", jpeg(0))
            write(tmp_path / split / style / f"._{split}-{style}.JPG", b"\0\5")
            write(tmp_path / split / style / "Thumbs.db", "x")
    return tmp_path


def test_stray_files_are_no_paintings_and_linked_styles_are_read(paintings, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "realism"
    (paintings / "train" / "realism").rename(elsewhere)
    (paintings / "train" / "realism").symlink_to(elsewhere)
    records = load("artbench", source=paintings)
    assert len(records) == 20 and records[4].prompt_id == "post_impressionism-train-post_impressionism"


def test_a_style_without_paintings_is_refused(paintings):
    (paintings / "test" / "baroque" / "test-baroque.JPG").unlink()
    with pytest.raises(ValueError, match=rf"^{paintings}/test/baroque: holds no painting"):
        load("artbench", source=paintings)


def test_a_title_that_no_file_can_have_elsewhere_is_a_safe_id(paintings):
    write(paintings / "train" / "realism" / "who: me?.jpg", jpeg(0))
    [odd] = [record for record in load("artbench", source=paintings) if "who" in record.prompt_id]
    assert odd.prompt_id.startswith("realism-who_ me_-") and odd.path.name == "who: me?.jpg"


def test_a_name_in_both_splits_is_two_paintings_and_the_log_says_so(paintings, caplog):
    write(paintings / "train" / "baroque" / "test-baroque.png", jpeg(1))
    with caplog.at_level(logging.WARNING):
        records = load("artbench", source=paintings)
    assert len({record.prompt_id for record in records}) == 21 and records[-1].prompt_id == "test-ukiyo_e-test-ukiyo_e"
    assert "paintings of one name in train/ and test/: 1, the first is baroque/test-baroque" in caplog.text
