"""Webdataset shards as people make them: keys that begin anew, captions in either file or in none, second images."""

import json
import logging

import pytest

from fcr_core.data import load
from fcr_core.data.pictures import read_rgb
from fcr_core.data.prepared import images_of, prepare
from fcr_core.data.tar_shards import members_of

from .test_official import jpeg, shard, write


@pytest.fixture(autouse=True)
def forgotten():
    members_of.cache_clear()


def sample(key: str, text: str, index: int = 0) -> dict[str, bytes]:
    return {f"{key}.jpg": jpeg(index), f"{key}.txt": text.encode()}


def prompts(source) -> dict[str, str]:
    return {record.prompt_id: record.prompt for record in load("webdataset", source=source)}


def test_keys_that_begin_anew_are_told_apart_by_their_shard(tmp_path):
    for name in ("00000.tar", "part/00001.TAR"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shard(tmp_path / name, {**sample("./000", f"First of {name}", 0), **sample("./001", f"Second of {name}", 1)})
    records = load("webdataset", source=tmp_path)
    assert [record.prompt_id for record in records] == ["00000-000", "00000-001", "part-00001-000", "part-00001-001"]
    assert records[2].prompt == "first of part/00001.tar"
    prepare(records, tmp_path / "set", "webdataset", size=64)
    images = images_of(tmp_path / "set", ["part-00001-001", "00000-000"])
    assert [image.tobytes() for image in images] == [read_rgb(records[i].path).tobytes() for i in (3, 0)]


def test_keys_of_one_shard_and_of_different_ones_stay_as_they_are(tmp_path):
    one = shard(tmp_path / "0.tar", {**sample("train.v1/0001", "One"), **sample("cat 2.0 (clean)", "Two")})
    assert prompts(tmp_path) == prompts(one) == {"train.v1-0001": "one", "cat 2.0 (clean)": "two"}
    shard(tmp_path / "1.tar", sample("three", "Three"))
    assert list(prompts(tmp_path)) == ["train.v1-0001", "cat 2.0 (clean)", "three"]


@pytest.mark.parametrize(
    "files, expected",
    [
        ({"txt": b" \n", "json": b'{"caption": "of the JSON"}'}, "of the json"),
        ({"txt": b"of the text", "json": b"no JSON at all"}, "of the text"),
        ({"TXT": b"\xef\xbb\xbfMarked\r\n"}, "marked"),
        ({"json": b'{"caption": 5}'}, "5"),
        ({"json": b'{"caption": "None"}'}, "none"),
        ({"txt": "Käfer".encode("utf-16")}, "käfer"),
    ],
)
def test_the_caption_is_the_text_or_else_that_of_the_json(tmp_path, files, expected):
    shard(tmp_path / "a.tar", {"0.jpg": jpeg(0), **{f"0.{kind}": content for kind, content in files.items()}})
    assert prompts(tmp_path) == {"0": expected}


@pytest.mark.parametrize("files", [{}, {"txt": b""}, {"txt": b" \r\n"}, {"json": b"{}"}, {"json": b'{"caption": null}'}])
def test_an_image_without_a_caption_is_left_out_and_the_log_says_so(tmp_path, caplog, files):
    blank = {"0.jpg": jpeg(0), **{f"0.{kind}": content for kind, content in files.items()}}
    shard(tmp_path / "a.tar", {**blank, **sample("1", "A cat")})
    with caplog.at_level(logging.WARNING):
        assert prompts(tmp_path) == {"1": "a cat"}
    assert f"{tmp_path}: left out images without a caption: 1, the first is {tmp_path}/a.tar/0.jpg" in caplog.text


@pytest.mark.parametrize(
    "files, where",
    [
        ({"0.txt": "un café".encode("cp1252")}, r"a\.tar/0\.txt: not a text file in UTF-8"),
        ({"0.json": b"[1]"}, r"a\.tar/0\.json: not a JSON object with a caption that is text"),
        ({"0.json": b'{"caption": ["a", "b"]}'}, r"a\.tar/0\.json: not a JSON object with a caption"),
        ({"0.json": b'{"caption": true}'}, r"a\.tar/0\.json: not a JSON object with a caption"),
        ({"0.json": b'{"caption": '}, r"a\.tar/0\.json: not a JSON file"),
        ({"0.png": jpeg(0), "0.txt": b"which?"}, r"a\.tar: 0\.jpg and 0\.png share one caption"),
    ],
)
def test_a_caption_that_cannot_be_told_is_refused_by_shard_and_member(tmp_path, files, where):
    shard(tmp_path / "a.tar", {"0.jpg": jpeg(0), **files, **sample("1", "x")})
    with pytest.raises(ValueError, match=where):
        load("webdataset", source=tmp_path)


def test_second_images_of_a_sample_are_left_out(tmp_path):
    shard(tmp_path / "a.tar", {"x.seg.png": jpeg(1), **sample("x", "One"), "x.json": json.dumps({"seg": 1}).encode()})
    assert prompts(tmp_path) == {"x": "one"}


@pytest.mark.parametrize("name", ["1.tar.gz", "1.tgz", "1.tar.zst"])
def test_compressed_shards_are_refused_also_beside_others(tmp_path, name):
    shard(tmp_path / "0.tar", sample("0", "x"))
    write(tmp_path / f"{name}.md5", "x")
    assert prompts(tmp_path) == {"0": "x"}
    write(tmp_path / name, "x")
    with pytest.raises(ValueError, match=rf"{name}: a compressed shard, .* make it an uncompressed tar"):
        load("webdataset", source=tmp_path)


def test_a_shard_that_is_cut_off_is_refused_before_anything_is_made(tmp_path):
    shard(tmp_path / "0.tar", sample("0", "x"))
    file = shard(tmp_path / "1.tar", sample("1", "y"))
    file.write_bytes(file.read_bytes()[:-9000])
    with pytest.raises(ValueError, match=rf"^{file}: cut off"):
        load("webdataset", source=tmp_path)
