"""Where the workflow is called, what its folders are called, and what stands in its way."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ..workspace import ROOT, Workspace

pytestmark = pytest.mark.slow

TARGET = "results/prompts/twemoji/64/evaluated.parquet"
ODD = "a b & (c) 'd' $e \"f\" ü;#%[h]"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    """In a folder whose name has what shells take for something else, with a launcher as `make setup` installs it."""
    made = Workspace.create(tmp_path_factory.mktemp("places") / ODD / "fcr")
    (made.folder / ".venv" / "bin").unlink()
    (made.folder / ".venv" / "bin").mkdir()
    (made.folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
    installed = made.bash("eval \"$(make --always-make -n setup | grep '^sed ')\"; chmod +x .venv/bin/snakemake")
    assert installed.returncode == 0, installed.stderr
    return made


def called(workspace: Workspace, arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess:
    program = workspace.folder / ".venv" / "bin" / "snakemake"
    return subprocess.run(
        ["bash", "-c", f'"$PROGRAM" --cores 1 {arguments}'], cwd=folder or workspace.folder, capture_output=True, text=True,
        env=workspace.environment | {"PROGRAM": str(program), "PROJECT": str(workspace.folder)}, check=False,
    )  # fmt: skip


def said(result: subprocess.CompletedProcess) -> list[str]:
    """What was said, without Snakemake's own first lines."""
    lines = (result.stdout + result.stderr).splitlines()
    return [line for line in lines if line and not line.startswith(("Using workflow specific profile", "Config file "))]


def refused(workspace: Workspace, arguments: str, folder: Path | None = None) -> str:
    result = called(workspace, arguments, folder)
    lines = said(result)
    assert result.returncode != 0 and len(lines) == 1 and lines[0].startswith("snakemake: "), result.stdout + result.stderr
    return lines[0].removeprefix("snakemake: ")


def test_the_installed_launcher_starts_and_makes_results_there(workspace):
    assert called(workspace, "--version").stdout.startswith("9.")
    result = called(workspace, f"-- {TARGET}")
    assert result.returncode == 0 and (workspace.folder / TARGET).exists(), result.stdout + result.stderr


def test_the_users_data_lie_in_such_a_folder_too(workspace):
    pictures = workspace.folder / "my pictures & \"more\" 'of' $them"
    shutil.copytree(ROOT / "docs" / "images", pictures)
    for file in pictures.glob("*.png"):
        for i in range(20):
            shutil.copy(file, pictures / f"{file.stem} {i}.png")
            (pictures / f"{file.stem} {i}.txt").write_text(f'picture {i}, it\'s "{file.stem}"', encoding="utf-8")
        file.unlink()
    more = workspace.folder / "more.yaml"
    more.write_text(
        "datasets:\n  image_folder:\n    source: my pictures & \"more\" 'of' $them\n    prompts: 4\n", encoding="utf-8"
    )
    target = "results/prompts/image_folder/64/evaluated.parquet"
    result = called(workspace, f"--configfile more.yaml -- {target}")
    assert result.returncode == 0 and (workspace.folder / target).exists(), result.stdout + result.stderr


def test_called_from_elsewhere_it_says_where_to_call_it(workspace, tmp_path):
    says = f"is not the folder of the Snakefile: call it in {workspace.folder},"
    assert says in refused(workspace, f'-n -s "$PROJECT/Snakefile" -- {TARGET}', tmp_path)
    assert says in refused(workspace, f"-n -s ../Snakefile -- {TARGET}", workspace.folder / "docs")
    assert says in refused(workspace, f'-n --directory "{tmp_path}" -- {TARGET}')


def test_results_may_be_a_link(workspace, tmp_path):
    results = workspace.folder / "results"
    kept = results.rename(results.with_name("kept"))
    try:
        results.symlink_to(tmp_path / "gone")
        assert f"results is a link to {tmp_path}/gone, which is not there" in refused(workspace, f"-n -- {TARGET}")
        (tmp_path / "gone").mkdir()
        assert called(workspace, f"-- {TARGET}").returncode == 0 and (tmp_path / "gone").joinpath(*TARGET.split("/")[1:]).exists()
        assert "Nothing to be done" in "".join(said(called(workspace, f"-n -- {TARGET}")))
        results.unlink()
        results.touch()
        assert "results is a file, and a folder is written there" in refused(workspace, f"-n -- {TARGET}")
    finally:
        results.unlink()
        kept.rename(results)


@pytest.mark.parametrize(
    "content, option, says",
    [
        (
            b"seeds: [0]\nseeds: [1]\n",
            "--configfile wrong.yaml",
            "wrong.yaml, line 2: the key seeds is here again, first in line 1",
        ),
        ("# größer\n".encode("latin-1"), "--configfile wrong.yaml", "wrong.yaml, line 1: not UTF-8 (byte 0xf6)"),
        (b"seeds:\n\t- 0\n", "--configfile wrong.yaml", "wrong.yaml, line 2: a tab"),
        (b"", "--configfile nowhere.yaml", "nowhere.yaml: No such file or directory"),
        (b"", "--config 'seeds=[0,1]'", "config key seeds[0] = '0': must be of type integer"),
        (b"", "--config 'seeds=[0,1]'", "write {seeds: [0, 1]} into a file and add --configfile"),
        (b"", "--config finetune.lr=1", "--config finetune.lr=1: Invalid config definition"),
        (
            b"experiments: {table: {backbones: [pocket], datasets: [twemoji], scenarios: [clean], figures: [], measures: [pairs],"
            b" rows: [uncached]}}",
            "--configfile wrong.yaml",
            "config key experiments.table = 'table': a rule of the workflow has this name",
        ),
    ],
)
def test_a_wrong_configuration_ends_in_one_line(workspace, content, option, says):
    (workspace.folder / "wrong.yaml").write_bytes(content)
    assert says in refused(workspace, f"-n {option} -- {TARGET}")


def test_a_wrong_config_yaml_does_so_by_any_snakemake(workspace):
    config = workspace.folder / "config.yaml"
    kept = config.read_bytes()
    try:
        for content, says in (
            (kept + b"seeds: [0]\n", "the key seeds is here again"),
            (b"\xff" + kept, "not UTF-8"),
            (b"\t", "a tab"),
        ):
            config.write_bytes(content)
            command = [sys.executable, "-m", "snakemake", "-n", "--cores", "1", "--", TARGET]
            result = subprocess.run(command, cwd=workspace.folder, capture_output=True, text=True, env=workspace.environment)
            lines = said(result)
            assert result.returncode != 0 and len(lines) == 1 and lines[0].startswith("snakemake: config.yaml"), lines
            assert says in lines[0]
    finally:
        config.write_bytes(kept)


def test_a_file_where_a_folder_should_be_is_named(workspace):
    folder = workspace.folder / "results" / "prompts"
    shutil.rmtree(folder, ignore_errors=True)
    folder.touch()
    try:
        result = called(workspace, f"-- {TARGET}")
        assert result.returncode != 0 and "Traceback" not in result.stdout + result.stderr
        assert f"{TARGET}: Not a directory: it cannot be written" in result.stdout + result.stderr
    finally:
        folder.unlink()


def test_a_job_that_reads_a_broken_file_ends_in_one_line_of_its_log(workspace):
    (workspace.folder / TARGET).unlink(missing_ok=True)
    prepared = workspace.folder / "results" / "data" / "twemoji" / "64" / "prompts.parquet"
    kept = prepared.read_bytes()
    prepared.write_bytes(kept[:100])
    try:
        result = called(workspace, f"--touch -- {prepared.relative_to(workspace.folder)}")
        result = called(workspace, f"-- {TARGET}")
        log = workspace.folder / "logs" / "select_prompts" / "twemoji_64.log"
        assert result.returncode != 0 and "Traceback" not in result.stdout + result.stderr + log.read_text()
        assert log.read_text().splitlines()[-1].startswith("select_prompts.py: error: ")
        assert f"see {log.relative_to(workspace.folder)}" in result.stdout + result.stderr
    finally:
        prepared.write_bytes(kept)
        os.utime(prepared)
