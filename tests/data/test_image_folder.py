"""Folders of images as people have them: texts and metadata from other systems, odd names, files that are not there."""

import json
import logging

import pytest

from fcr_core.data import load
from fcr_core.data.pictures import read_rgb

from .test_official import jpeg, write

# Text that programs take for a missing value, and text that looks like a number.
WORDS = ["None", "NA", "null", "nan", "N/A", "true", "007", "1e5", "-"]


def prompts(source) -> dict[str, str]:
    return {record.prompt_id: record.prompt for record in load("image_folder", source=source)}


def images(folder, *names):
    for name in names:
        write(folder / name, jpeg(0))


def metadata(folder, kind: str, captions: dict[str, object], mark: bytes = b"") -> None:
    """The captions of images, by their `file_name`, in one of the three forms."""
    if kind == "txt":
        for name, caption in captions.items():
            write((folder / name).with_suffix(".txt"), mark + str(caption).encode())
    elif kind == "csv":
        rows = "".join(f"{name},{caption}\r\n" for name, caption in captions.items())
        write(folder / "metadata.csv", mark + f"file_name,text\r\n{rows}".encode())
    else:
        lines = [json.dumps({"file_name": name, "text": caption}) for name, caption in captions.items()]
        write(folder / "metadata.jsonl", mark + "\n\n".join(lines).encode())


@pytest.mark.parametrize("kind", ["txt", "csv", "jsonl"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_words_for_nothing_are_captions_like_others(tmp_path, kind, mark):
    names = [f"{i}.jpg" for i in range(len(WORDS))]
    images(tmp_path, *names)
    metadata(tmp_path, kind, dict(zip(names, WORDS, strict=True)), mark)
    assert list(prompts(tmp_path).values()) == [word.lower() for word in WORDS]


@pytest.mark.parametrize("kind", ["txt", "csv", "jsonl"])
@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_caption_is_none_in_every_form_and_the_log_says_so(tmp_path, caplog, kind, blank):
    images(tmp_path, "a.jpg", "b.jpg")
    metadata(tmp_path, kind, {"a.jpg": blank, "b.jpg": "A cat"})
    with caplog.at_level(logging.WARNING):
        assert prompts(tmp_path) == {"b": "a cat"}
    assert "left out images without a caption: 1, the first is a.jpg" in caplog.text


def test_numbers_and_missing_values_of_json(tmp_path):
    images(tmp_path, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    metadata(tmp_path, "jsonl", {"a.jpg": 5, "b.jpg": None, "c.jpg": float("nan"), "d.jpg": "cut \ud83d"})
    assert prompts(tmp_path) == {"a": "5", "d": "cut"}
    metadata(tmp_path, "jsonl", {"a.jpg": ["A cat", "Two cats"]})
    with pytest.raises(ValueError, match=r"metadata\.jsonl: line 1: a caption must be text, not list"):
        load("image_folder", source=tmp_path)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_metadata_that_name_missing_files_are_refused_with_the_files(tmp_path, kind):
    images(tmp_path, "a.jpg")
    metadata(tmp_path, kind, {"a.jpg": "A cat", "gone.jpg": "A dog"})
    with pytest.raises(ValueError, match=rf"metadata\.{kind}: names 1 files that are not there: gone\.jpg \("):
        load("image_folder", source=tmp_path)
    metadata(tmp_path, kind, {f"gone{i}.jpg": "A dog" for i in range(9)})
    with pytest.raises(ValueError, match=r"names 9 files that are not there: gone0\.jpg, gone1\.jpg, gone2\.jpg, \.\.\. \("):
        load("image_folder", source=tmp_path)


@pytest.mark.parametrize("name", ["../a.jpg", "/etc/a.jpg", "b/../../a.jpg"])
def test_metadata_that_lead_out_of_the_folder_are_refused(tmp_path, name):
    images(tmp_path, "a.jpg", "set/b/c.jpg")
    metadata(tmp_path / "set", "csv", {name: "A cat"})
    with pytest.raises(ValueError, match=rf"metadata\.csv: names \S+a\.jpg, which is not in the folder {tmp_path}/set"):
        load("image_folder", source=tmp_path / "set")


def test_a_row_without_a_file_name_is_refused(tmp_path):
    images(tmp_path, "a.jpg")
    write(tmp_path / "metadata.csv", "file_name,text\n,a cat\n")
    with pytest.raises(ValueError, match=r"metadata\.csv: line 2 has no file_name"):
        load("image_folder", source=tmp_path)


def test_of_several_captions_one_is_drawn_the_same_in_every_order(tmp_path):
    images(tmp_path, "./b/a.jpg")
    rows = [f"b/a.jpg,Caption {i}\n" for i in range(5)]
    write(tmp_path / "metadata.csv", "file_name,text\n" + "".join(rows))
    chosen = prompts(tmp_path)
    assert list(chosen) == ["b-a"] and chosen["b-a"] in {f"caption {i}" for i in range(5)}
    write(tmp_path / "elsewhere" / "metadata.csv", "file_name,text\n" + "".join(rows).replace("b/", "./b/"))
    images(tmp_path / "elsewhere", "b/a.jpg")
    assert prompts(tmp_path / "elsewhere") == chosen


def test_upper_case_suffixes_are_the_same_files(tmp_path):
    images(tmp_path, "a.JPG", "b.Jpeg", "c.PNG")
    for name in ("a.TXT", "b.txt", "c.Txt"):
        write(tmp_path / name, f"Picture {name[0]}")
    assert prompts(tmp_path) == {"a": "picture a", "b": "picture b", "c": "picture c"}
    images(tmp_path / "upper", "d.jpg")
    write(tmp_path / "upper" / "METADATA.CSV", "file_name,text\nd.jpg,Picture d\n")
    assert prompts(tmp_path / "upper") == {"d": "picture d"}


def test_two_images_beside_one_text_are_refused_with_both_names(tmp_path):
    images(tmp_path, "deep/cat.jpg", "deep/cat.png")
    assert write(tmp_path / "deep" / "cat.txt", "A cat")
    with pytest.raises(ValueError, match=r"deep/cat\.jpg and deep/cat\.png share the caption deep/cat\.txt"):
        load("image_folder", source=tmp_path)
    metadata(tmp_path, "csv", {"deep/cat.jpg": "A cat", "deep/cat.png": "A drawn cat"})
    records = load("image_folder", source=tmp_path)
    assert [record.prompt for record in records] == ["a cat", "a drawn cat"] and len({r.prompt_id for r in records}) == 2


def test_paths_that_would_have_one_id_have_two(tmp_path):
    images(tmp_path, "a/b.jpg", "a-b.jpg", "c.jpg")
    metadata(tmp_path, "txt", {"a/b.jpg": "In a", "a-b.jpg": "Beside", "c.jpg": "Other"})
    records = load("image_folder", source=tmp_path)
    assert [record.prompt for record in records] == ["in a", "beside", "other"]
    assert len({record.prompt_id for record in records}) == 3 == len({record.concept for record in records})
    assert records[2].prompt_id == "c"


def test_stray_files_and_hidden_folders_are_not_read_and_links_are(tmp_path):
    images(tmp_path / "real", "a.jpg")
    write(tmp_path / "real" / "a.txt", "A cat")
    write(tmp_path / "real" / "._a.jpg", b"\0\5\x16\7")
    write(tmp_path / "real" / "._a.txt", b"\0\5\x16\7\xff")
    images(tmp_path / "real" / ".ipynb_checkpoints", "a-checkpoint.jpg")
    write(tmp_path / "real" / ".ipynb_checkpoints" / "a-checkpoint.txt", "Old")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train").symlink_to(tmp_path / "real")
    [record] = load("image_folder", source=tmp_path / "set")
    assert (record.prompt_id, record.prompt, record.split) == ("train-a", "a cat", "train")
    assert read_rgb(record.path).size == (64, 64)


def test_what_is_left_out_is_said(tmp_path, caplog):
    images(tmp_path, "a.jpg", "b.jpg")
    write(tmp_path / "a.txt", "A cat")
    write(tmp_path / "photo.txt", "of photo.heic")
    with caplog.at_level(logging.WARNING):
        assert prompts(tmp_path) == {"a": "a cat"}
    assert "left out images without a caption: 1, the first is b.jpg" in caplog.text
    assert "left out text files without an image: 1, the first is photo.txt" in caplog.text


def test_a_file_in_place_of_the_folder_and_a_name_that_is_no_text_are_refused(tmp_path):
    images(tmp_path, "a.jpg")
    with pytest.raises(ValueError, match=r"a\.jpg: holds no image with a caption"):
        load("image_folder", source=tmp_path / "a.jpg")
    images(tmp_path, "caf\udce9.jpg")
    write(tmp_path / "caf\udce9.txt", "A café")
    with pytest.raises(ValueError, match=r"caf.udce9\.jpg': the file's name is not UTF-8, rename it"):
        load("image_folder", source=tmp_path)
