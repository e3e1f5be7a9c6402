"""Whatever the names and captions of a user's pictures are: they come back, in every form that they can be written in."""

import csv
import io
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fcr_core.data import load
from fcr_core.data.folders import is_stray
from fcr_core.data.official import tidy
from fcr_core.data.prepared import images_of, prepare, prompts_of
from fcr_core.data.tar_shards import members_of

from .test_official import jpeg, shard, write

PICTURE = jpeg(0)
parts = (
    st.text(st.characters(codec="utf-8", exclude_characters="/\0\\"), min_size=1, max_size=20)
    .filter(lambda part: part.strip() == part and part not in (".", "..") and not is_stray([part]))
    .filter(lambda part: not part.endswith("."))
)  # fmt: skip
names = st.lists(parts, min_size=1, max_size=3).map("/".join)
captions = st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff"), max_size=40)
sets = st.dictionaries(names, captions, min_size=1, max_size=5)


def as_texts(folder: Path, pictures: dict[str, str]) -> None:
    for name, caption in pictures.items():
        write(folder / f"{name}.txt", caption)


def as_csv(folder: Path, pictures: dict[str, str]) -> None:
    table = io.StringIO()
    csv.writer(table).writerows([("file_name", "text"), *((f"{name}.jpg", caption) for name, caption in pictures.items())])
    write(folder / "metadata.csv", table.getvalue())


def as_jsonl(folder: Path, pictures: dict[str, str]) -> None:
    rows = [json.dumps({"file_name": f"{name}.jpg", "text": caption}) for name, caption in pictures.items()]
    write(folder / "metadata.jsonl", "\n".join(rows))


@pytest.mark.parametrize("form", [as_texts, as_csv, as_jsonl])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pictures=sets)
def test_captions_of_a_folder_come_back(form, pictures):
    with tempfile.TemporaryDirectory() as folder:
        check_set(Path(folder), form, pictures)


def check_set(folder: Path, form, pictures: dict[str, str]) -> None:
    source = folder / "set"
    for name in pictures:
        write(source / f"{name}.jpg", PICTURE)
    form(source, pictures)
    expected = {source / f"{name}.jpg": tidy(caption) for name, caption in pictures.items() if tidy(caption)}
    if not expected:
        with pytest.raises(ValueError, match="holds no image with a caption"):
            load("image_folder", source=source)
        return
    records = load("image_folder", source=source)
    assert {record.path: record.prompt for record in records} == expected
    prepare(records, folder / "prepared", "image_folder", size=8)
    table = [prompts_of(folder / "prepared", split) for split in ("train", "test")]
    assert sorted(prompt for rows in table for prompt in rows["prompt"]) == sorted(expected.values())
    assert all(image.size == (8, 8) for image in images_of(folder / "prepared", [record.prompt_id for record in records]))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pictures=sets)
def test_captions_of_shards_come_back(pictures):
    members_of.cache_clear()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder)
        for number, (name, caption) in enumerate(pictures.items()):
            about = json.dumps({"caption": caption}).encode()
            other = {"other/of this shard.jpg": PICTURE, "other/of this shard.txt": b"Other"}
            shard(source / f"{number}.tar", {f"./{name}.jpg": PICTURE, f"./{name}.json": about, **other})
        expected = sorted([tidy(caption) for caption in pictures.values() if tidy(caption)] + ["other"] * len(pictures))
        records = load("webdataset", source=source)
        assert sorted(record.prompt for record in records) == expected
        prepare(records, source / "prepared", "webdataset", size=8)
        assert all(image.size == (8, 8) for image in images_of(source / "prepared", [record.prompt_id for record in records]))
