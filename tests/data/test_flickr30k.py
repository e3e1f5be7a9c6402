"""Flickr30k files as Windows, spreadsheets and people leave them."""

import codecs
import json
import logging
import re

import pytest

from fcr_core.data import load

from .test_official import RESULTS, TOKENS, write

IMAGE = {"filename": "1.jpg", "sentences": [], "split": "test"}
TEXTS = {"results_20130124.token": TOKENS, "results.csv": RESULTS}


def records(tmp_path, name: str, content):
    return load("flickr30k", source=write(tmp_path / name, content))


@pytest.mark.parametrize("name, text", TEXTS.items())
def test_marks_line_ends_and_blank_lines_change_nothing(tmp_path, name, text):
    plain = records(tmp_path, name, text)
    windows = codecs.BOM_UTF8 + text.replace("\n", "\r\n").replace("\n1000", "\n\r\n1000", 1).encode() + b"\r\n\r\n"
    assert records(tmp_path, name, windows) == plain
    assert records(tmp_path, name, text.encode("utf-16")) == plain


def test_delimiters_may_have_spaces_or_none(tmp_path):
    plain = records(tmp_path, "results.csv", RESULTS)
    assert records(tmp_path, "results.csv", RESULTS.replace("| ", "|")) == plain
    assert records(tmp_path, "results.csv", RESULTS.replace("| ", " | ")) == plain


@pytest.mark.parametrize(
    "name, lines",
    [
        ("results_20130124.token", "1.JPG#0\tA dog .\n1.JPG#1\t\n1.JPG#2\n2.jpg#0\t \n"),
        ("results.csv", "image_name|comment_number|comment\n1.JPG| 0| A dog .\n1.JPG| 1|\n1.JPG| 2\n2.jpg|0| \n"),
        ("dataset_flickr30k.json", None),
        ("flickr_annotations_30k.csv", None),
    ],
)
def test_a_missing_comment_is_no_caption(tmp_path, caplog, name, lines):
    captions = {"1.JPG": ["A dog .", "", None], "2.jpg": [" "], "3.jpg": []}
    if name.endswith(".json"):
        images = [{"filename": n, "sentences": [{"raw": c} for c in some], "split": "test"} for n, some in captions.items()]
        lines = json.dumps({"images": images})
    if name.startswith("flickr"):
        rows = [json.dumps(some).replace('"', '""') for some in captions.values()]
        lines = "raw,split,filename\n" + "".join(f'"{row}",test,{n}\n' for n, row in zip(captions, rows, strict=True))
    with caplog.at_level(logging.WARNING):
        assert [(record.prompt_id, record.prompt) for record in records(tmp_path, name, lines)] == [("1", "a dog .")]
    assert re.search(r"left out images without a caption: \d, the first is 2\.jpg", caplog.text)


def test_words_for_nothing_are_captions_of_the_hubs_copy(tmp_path):
    row = 'raw,split,filename\n"[""None"", ""None""]",test,NA.jpg\n'
    assert [(r.prompt_id, r.prompt) for r in records(tmp_path, "flickr_annotations_30k.csv", row)] == [("NA", "none")]


@pytest.mark.parametrize(
    "name, content, why",
    [
        (
            "dataset_flickr30k.json",
            '{"images": [{"filename": "1.jpg", "sentences": [], "split": "dev"}]}',
            r"\(train, val, test\)",
        ),
        (
            "dataset_flickr30k.json",
            '{"images": [{"filename": "1.jpg", "sentences": "A dog", "split": "test"}]}',
            "lacks images with",
        ),
        ("flickr_annotations_30k.csv", "raw,split,filename\n[,test,1.jpg\n", "line 2 lacks a JSON list of captions"),
        ("flickr_annotations_30k.csv", 'raw,split,filename\n"""A dog""",test,1.jpg\n', "line 2 lacks a JSON list of captions"),
        ("flickr_annotations_30k.csv", "raw,split,filename\n[],restval,1.jpg\n", r"line 2 lacks .*a split \(train, val, test\)"),
        ("results.csv", RESULTS + "A dog runs\n", "row 4 is not a caption of an image: 'A dog runs'"),
    ],
)
def test_an_entry_of_another_form_is_refused_by_file_and_line(tmp_path, name, content, why):
    with pytest.raises(ValueError, match=rf"^{tmp_path}/{name}: .*{why}"):
        records(tmp_path, name, content)
