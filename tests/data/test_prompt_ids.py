"""Ids that are unique, that can name files on every system, and that stay what they were for ordinary names."""

from pathlib import Path, PurePath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcr_core.data import load
from fcr_core.data.prompt_ids import LONGEST, folded, prompt_ids, safe
from fcr_core.jobs.files import replacing

# The name of a file or folder as Linux allows it.
parts = st.text(min_size=1, max_size=80).filter(lambda part: not {"/", "\0"} & set(part) and part not in (".", ".."))
paths = st.lists(parts, min_size=1, max_size=4).map(lambda some: PurePath(*some))


@settings(max_examples=100, deadline=None)
@given(st.lists(paths, unique=True, max_size=6))
def test_ids_are_unique_and_safe_whatever_the_names_are(files):
    ids = prompt_ids(files)
    assert len(set(map(folded, ids))) == len(files)
    for name in ids:
        assert name == safe(name) and 0 < len(name.encode()) <= LONGEST
        assert not set(name) & set('/\\:*?"<>|\n\t\0') and name[0] not in ".- " and name[-1] not in ". "


@settings(max_examples=50, deadline=None)
@given(st.lists(paths, unique=True, min_size=1, max_size=6), st.randoms())
def test_an_id_does_not_depend_on_the_order_of_the_files(files, random):
    known = dict(zip(files, prompt_ids(files), strict=True))
    shuffled = random.sample(files, len(files))
    assert prompt_ids(shuffled) == [known[file] for file in shuffled]


@pytest.mark.parametrize(
    "file, expected",
    [
        ("train/0.jpg", "train-0"), ("a/b/c.png", "a-b-c"), ("cat 2.0 (clean).jpg", "cat 2.0 (clean)"), ("猫/é.webp", "猫-é"),
        ("ILSVRC2012_val_00000293.JPEG", "ILSVRC2012_val_00000293"), ("x.seg.png", "x.seg"), ("#1, 50 %.jpg", "#1, 50 %"),
    ],
)  # fmt: skip
def test_ordinary_names_keep_the_ids_that_they_always_had(file, expected):
    assert prompt_ids([PurePath(file)]) == [expected]


def test_ids_of_packaged_sets_are_safe_as_they_are():
    assert all(record.prompt_id == safe(record.prompt_id) for name in ("twemoji", "noto") for record in load(name))


@pytest.mark.parametrize("files", ["a/b.jpg a-b.jpg", "cat.jpg cat.png", "Cat.jpg cat.jpg", "é.jpg e\u0301.jpg"])
def test_two_files_of_one_name_get_a_hash_each(files):
    first, second = prompt_ids([PurePath(file) for file in files.split()])
    assert folded(first) != folded(second) and first[-13] == second[-13] == "-"


@pytest.mark.parametrize("name", ["?", "..", "-rf", " a", "a.", "x" * 251, "é" * 126, "a\nb", "a:b", "\udce9", ""])
def test_an_odd_name_becomes_one_that_a_file_can_have(tmp_path: Path, name):
    identity = safe(name)
    with replacing(tmp_path / f"{identity}.png") as draft:
        draft.write_text("x")
    assert [file.name for file in tmp_path.iterdir()] == [f"{identity}.png"] and safe(identity) == identity != name


def test_long_names_with_one_beginning_stay_apart():
    ids = prompt_ids([PurePath("a" * 60, "b" * 60, "c" * 60, "d" * 60, f"{i}.jpg") for i in range(3)])
    assert len(set(ids)) == 3 and {len(name) for name in ids} == {LONGEST}
