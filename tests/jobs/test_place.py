"""The workflow runs in the project's folder, where it can write."""

import pytest

from fcr_core.jobs.place import check_place


def test_the_projects_folder_is_the_place_with_or_without_results(tmp_path):
    check_place(tmp_path, tmp_path)
    (tmp_path / "results").mkdir()
    check_place(tmp_path, tmp_path)


def test_results_may_be_a_link_and_so_may_the_project(tmp_path):
    project, scratch = tmp_path / "a project", tmp_path / "scratch"
    project.mkdir()
    scratch.mkdir()
    (project / "results").symlink_to(scratch)
    (tmp_path / "link").symlink_to(project)
    check_place(project, tmp_path / "link")


def test_another_folder_is_refused_with_the_one_to_call_it_in(tmp_path):
    with pytest.raises(ValueError, match=f"^{tmp_path}/other is not the folder of the Snakefile: call it in {tmp_path}/p,"):
        check_place(tmp_path / "p", tmp_path / "other")


@pytest.mark.parametrize("name", ["results", "logs", ".snakemake"])
def test_what_stands_in_the_way_is_named(tmp_path, name):
    place = tmp_path / name
    place.symlink_to(tmp_path / "gone")
    with pytest.raises(ValueError, match=f"{name} is a link to {tmp_path}/gone, which is not there"):
        check_place(tmp_path, tmp_path)
    place.unlink()
    place.touch()
    with pytest.raises(ValueError, match=f"{name} is a file, and a folder is written there"):
        check_place(tmp_path, tmp_path)
