"""What is read of a folder: links are followed and cut where they lead round, and files that systems leave are not seen."""

from pathlib import Path

import pytest

from fcr_core.data.folders import files_below

from .test_official import write


def names(folder: Path) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in files_below(folder)]


def test_files_are_sorted_by_folder_and_name(tmp_path):
    for name in ("b.jpg", "a/2.jpg", "a/10.jpg", "a-b.jpg", "a.b/c.JPG"):
        write(tmp_path / name, "x")
    assert names(tmp_path) == ["a/10.jpg", "a/2.jpg", "a-b.jpg", "a.b/c.JPG", "b.jpg"]


STRAY = ["._a.jpg", ".DS_Store", "Thumbs.db", "desktop.ini", ".git/a.jpg", "__MACOSX/._a.jpg", "@eaDir/a.jpg", "a.txt~"]


@pytest.mark.parametrize("stray", STRAY)
def test_what_systems_and_editors_leave_is_not_seen(tmp_path, stray):
    write(tmp_path / "deep" / "a.jpg", "x")
    write(tmp_path / "deep" / stray, "x")
    assert names(tmp_path) == ["deep/a.jpg"]


def test_a_hidden_folder_is_read_if_it_is_the_one_asked_for(tmp_path):
    write(tmp_path / ".cache" / "a.jpg", "x")
    assert names(tmp_path / ".cache") == ["a.jpg"]


def test_links_to_files_and_folders_are_followed(tmp_path):
    write(tmp_path / "elsewhere" / "a.jpg", "x")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set" / "b.jpg").symlink_to("../elsewhere/a.jpg")
    assert names(tmp_path / "set") == ["b.jpg", "train/a.jpg"]
    (tmp_path / "linked").symlink_to(tmp_path / "set")
    assert names(tmp_path / "linked") == ["b.jpg", "train/a.jpg"]


def test_a_link_that_leads_round_is_cut(tmp_path):
    write(tmp_path / "a" / "b.jpg", "x")
    (tmp_path / "a" / "here").symlink_to(".")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    assert names(tmp_path) == ["a/b.jpg"]


@pytest.mark.parametrize("target", ["gone.jpg", "a.jpg"])
def test_a_link_that_leads_nowhere_is_refused_by_name(tmp_path, target):
    (tmp_path / "a.jpg").symlink_to(target)
    with pytest.raises(ValueError, match=rf"^{tmp_path}/a\.jpg: not a file, or a link to a file that is not there"):
        files_below(tmp_path)


def test_a_file_stands_for_itself_and_a_missing_one_is_refused(tmp_path, monkeypatch):
    file = write(tmp_path / "a.jpg", "x")
    assert files_below(file) == [file]
    with pytest.raises(ValueError, match=r"b\.jpg: not a file"):
        files_below(tmp_path / "b.jpg")
    monkeypatch.chdir(tmp_path)
    assert files_below(Path()) == [Path("a.jpg")]
