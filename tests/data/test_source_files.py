"""The token of a data set's files changes exactly when they hold something else, and only changed files are read."""

import json
import os
import time

import pyarrow.parquet as pq
import pytest

from fcr_core.data import DATASETS, load, source_files
from fcr_core.data.prepared import prepare, prompts_of
from fcr_core.data.source_files import SourceFiles, listed, token_of

from .test_official import COCO, jpeg, write


@pytest.fixture
def source(tmp_path):
    for number in range(3):
        write(tmp_path / "set" / "train" / f"{number}.jpg", jpeg(number))
        write(tmp_path / "set" / "train" / f"{number}.txt", f"Picture {number}")
    return tmp_path / "set"


def prepared(source, folder) -> str:
    """The rule's way: the token is asked for before, and the list kept by the job."""
    token = token_of(source, [], folder)
    prepare(load("image_folder", source=source), folder, "image_folder", 32, listed(source, [], folder, token))
    return token


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """The names of the files that are read."""
    names: list[str] = []
    plain = source_files.sha256_of
    monkeypatch.setattr(source_files, "sha256_of", lambda path: names.append(path.name) or plain(path))
    return names


def test_a_touch_a_copy_and_stray_files_change_nothing(source, tmp_path):
    token = prepared(source, tmp_path / "out")
    assert token_of(source, [], tmp_path / "out") == token
    for file in source.rglob("*"):
        os.utime(file, (1, 1))
    write(source / "train" / ".DS_Store", "x")
    write(source / "train" / "._0.jpg", "x")
    write(source / ".ipynb_checkpoints" / "0.jpg", "x")
    write(source / "train" / "1.txt", "Picture 1")
    assert token_of(source, [], tmp_path / "out") == token
    source.rename(tmp_path / "moved")
    assert token_of(tmp_path / "moved", [], tmp_path / "out") == token


@pytest.mark.parametrize(
    "change",
    [
        lambda source: write(source / "train" / "1.txt", "Picture I"),
        lambda source: write(source / "train" / "1.jpg", jpeg(3)),
        lambda source: write(source / "train" / "3.jpg", jpeg(3)),
        lambda source: (source / "train" / "1.txt").unlink(),
        lambda source: (source / "train").rename(source / "test"),
        lambda source: (source / "train" / "1.txt").rename(source / "train" / "4.txt"),
    ],
)
def test_any_other_content_changes_it_until_it_is_prepared_again(source, tmp_path, change):
    before = prepared(source, tmp_path / "out")
    change(source)
    changed = token_of(source, [], tmp_path / "out")
    assert changed != before and token_of(source, [], tmp_path / "out") == changed
    assert prepared(source, tmp_path / "out") == changed == token_of(source, [], tmp_path / "out")


def test_what_is_changed_back_counts_as_unchanged(source, tmp_path):
    token = prepared(source, tmp_path / "out")
    write(source / "train" / "1.txt", "Picture I")
    assert token_of(source, [], tmp_path / "out") != token
    write(source / "train" / "1.txt", "Picture 1")
    assert token_of(source, [], tmp_path / "out") == token


def test_a_change_that_keeps_size_and_time_is_seen(source, tmp_path):
    token = prepared(source, tmp_path / "out")
    file = source / "train" / "1.txt"
    before = file.stat()
    write(file, "Picture I")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_mtime_ns == before.st_mtime_ns and file.stat().st_size == before.st_size
    assert token_of(source, [], tmp_path / "out") != token


def test_only_files_whose_state_has_changed_are_read(source, tmp_path, monkeypatch, read):
    monkeypatch.setattr(source_files, "CLOCK", 0)
    time.sleep(0.02)
    token = prepared(source, tmp_path / "out")
    assert len(read) == 6
    read.clear()
    assert token_of(source, [], tmp_path / "out") == token and not read
    os.utime(source / "train" / "2.jpg")
    time.sleep(0.02)
    assert token_of(source, [], tmp_path / "out") == token and read == ["2.jpg"]
    assert token_of(source, [], tmp_path / "out") == token and read == ["2.jpg"]
    write(source / "train" / "2.txt", "Changed")
    time.sleep(0.02)
    prepared(source, tmp_path / "out")
    assert set(read) == {"2.jpg", "2.txt"}


def test_files_written_a_moment_before_are_read_again(source, tmp_path, read):
    prepared(source, tmp_path / "out")
    read.clear()
    token_of(source, [], tmp_path / "out")
    assert len(read) == 6


def test_the_list_names_each_file_with_its_size_and_hash(source, tmp_path):
    prepared(source, tmp_path / "out")
    kept = SourceFiles.read(tmp_path / "out")
    assert sorted(kept.hashes) == sorted(f"train/{i}.{kind}" for i in range(3) for kind in ("jpg", "txt"))
    assert kept.states["train/1.txt"].size == len("Picture 1")


def test_prompts_differ_as_files_when_only_a_picture_has_changed(source, tmp_path):
    prepared(source, tmp_path / "out")
    before, table = (tmp_path / "out" / "prompts.parquet").read_bytes(), prompts_of(tmp_path / "out", "train")
    write(source / "train" / "1.jpg", jpeg(3))
    prepared(source, tmp_path / "out")
    file = tmp_path / "out" / "prompts.parquet"
    assert file.read_bytes() != before and prompts_of(tmp_path / "out", "train").equals(table)
    kept = SourceFiles.read(tmp_path / "out")
    assert pq.read_schema(file).metadata[b"source_files"].decode() == kept.content


def test_pictures_beside_a_file_of_captions_belong_to_its_files(tmp_path):
    captions = write(tmp_path / "coco" / "annotations" / "captions_val2014.json", json.dumps(COCO))
    beside = DATASETS["coco"].beside(captions)
    token = token_of(captions, beside, tmp_path / "out")
    (tmp_path / "out").mkdir()
    listed(captions, beside, tmp_path / "out", token).write(tmp_path / "out")
    assert list(SourceFiles.read(tmp_path / "out").hashes) == ["captions_val2014.json"]
    write(tmp_path / "coco" / "train2014" / "1.jpg", jpeg(0))
    assert token_of(captions, beside, tmp_path / "out") == token
    write(tmp_path / "coco" / "val2014" / "COCO_val2014_000000522418.jpg", jpeg(0))
    assert token_of(captions, beside, tmp_path / "out") != token
    kept = listed(captions, beside, tmp_path / "out", "x")
    assert set(kept.hashes) == {"captions_val2014.json", "../val2014/COCO_val2014_000000522418.jpg"}


def test_linked_folders_are_known_by_what_they_lead_to(source, tmp_path, monkeypatch):
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "train").symlink_to(source / "train")
    token = prepared(tmp_path / "linked", tmp_path / "out")
    write(source / "train" / "1.txt", "Changed")
    assert token_of(tmp_path / "linked", [], tmp_path / "out") != token
    monkeypatch.chdir(source)
    assert set(listed(tmp_path / "linked", [], tmp_path, "x").hashes) == set(listed(type(source)(), [], tmp_path, "x").hashes)


def test_a_large_folder_takes_little_time_to_look_at(tmp_path):
    (tmp_path / "set").mkdir()
    for number in range(10_000):
        (tmp_path / "set" / f"{number}.txt").touch()
    old = SourceFiles("token", source_files.states_of(source_files.paths_of(tmp_path / "set", [])), {})
    old = SourceFiles("token", old.states, dict.fromkeys(old.states, "0" * 64))
    (tmp_path / "out").mkdir()
    old.write(tmp_path / "out")
    start = time.perf_counter()
    assert token_of(tmp_path / "set", [], tmp_path / "out") == "token"
    assert time.perf_counter() - start < 2


def test_a_link_that_leads_nowhere_is_refused_by_name(source, tmp_path):
    (source / "train" / "lost.jpg").symlink_to("gone.jpg")
    with pytest.raises(ValueError, match=rf"^{source}/train/lost\.jpg: not a file, or a link to a file that is not there"):
        token_of(source, [], tmp_path / "out")
