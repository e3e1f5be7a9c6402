"""COCO captions that people have filtered, completed, and saved again."""

import codecs
import json
import logging

import pytest

from fcr_core.data import load

from .test_official import COCO, jpeg, write


def records(tmp_path, content, mark: bytes = b""):
    return load("coco", source=write(tmp_path / "annotations" / "captions_val2014.json", mark + json.dumps(content).encode()))


def test_a_filtered_file_keeps_the_images_that_have_captions_and_are_listed(tmp_path, caplog):
    kept = COCO | {"images": [*COCO["images"][1:], {"id": 7, "file_name": "7.jpg"}]}
    with caplog.at_level(logging.WARNING):
        assert [record.prompt_id for record in records(tmp_path, kept)] == ["000000522418"]
    assert "left out captions of images that it does not list: 1, the first is 771687" in caplog.text
    assert "left out images without a caption: 1, the first is 000000000007" in caplog.text


@pytest.mark.parametrize("blank", ["", " \n", None])
def test_blank_captions_are_never_the_one_that_is_chosen(tmp_path, blank):
    whole = {record.prompt_id: record for record in records(tmp_path, COCO)}
    more = [{"image_id": image["id"], "id": 10_000_000 + i, "caption": blank} for i in range(9) for image in COCO["images"]]
    assert {r.prompt_id: r for r in records(tmp_path, COCO | {"annotations": [*COCO["annotations"], *more]})} == whole


def test_further_keys_ids_as_text_and_a_mark_change_nothing(tmp_path):
    images = [image | {"id": str(image["id"]), "url": None} for image in COCO["images"]]
    annotations = [annotation | {"image_id": str(annotation["image_id"]), "bbox": []} for annotation in COCO["annotations"]]
    again = {"filtered by": "me", "images": images, "annotations": annotations}
    assert records(tmp_path, again, codecs.BOM_UTF8) == records(tmp_path, COCO)


def test_an_image_is_found_by_its_name_also_if_the_file_gives_its_folder(tmp_path):
    picture = write(tmp_path / "val2014" / "1.jpg", jpeg(0))
    write(tmp_path / "val2014" / "._1.jpg", b"\0\5")
    content = {"images": [{"id": 1, "file_name": "val2014/1.jpg"}], "annotations": [{"id": 1, "image_id": 1, "caption": "A dog"}]}
    assert [record.path for record in records(tmp_path, content)] == [picture]


@pytest.mark.parametrize(
    "annotation",
    [{"id": 1, "image_id": 391895}, {"id": 1, "image_id": "x", "caption": "A"}, {"image_id": 391895, "caption": "A"},
     {"id": 1, "image_id": 391895, "caption": ["A"]}, "text", None],
)  # fmt: skip
def test_annotations_of_another_form_are_refused_by_the_files_name(tmp_path, annotation):
    with pytest.raises(ValueError, match=rf"^{tmp_path}/annotations/captions_val2014\.json: not COCO captions: lacks images, or"):
        records(tmp_path, COCO | {"annotations": [annotation]})
