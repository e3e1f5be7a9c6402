import pytest

from fcr_core.jobs.files import replacing, write_json


def test_a_failed_write_leaves_the_old_file_and_no_debris(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), replacing(target) as draft:
        draft.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


def test_a_folder_replaces_a_folder(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "stale").touch()
    with replacing(tmp_path / "out") as draft:
        draft.mkdir()
        (draft / "fresh").touch()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["fresh"]
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


def test_json_is_sorted_and_readable(tmp_path):
    write_json(tmp_path / "x.json", {"b": 1, "a": 2})
    assert (tmp_path / "x.json").read_text() == '{\n  "a": 2,\n  "b": 1\n}\n'
