"""The `snakemake` command of the project's environment, alone: the workflow tests run it for real."""

import asyncio
import importlib.util
import logging
import os
import socket
import subprocess
import sys
import time

import pytest
import snakemake_executor_plugin_slurm

from ..workspace import ROOT

spec = importlib.util.spec_from_file_location("snakemake_launcher", ROOT / "envs" / "snakemake_launcher.py")
launcher = importlib.util.module_from_spec(spec)
spec.loader.exec_module(launcher)


@pytest.mark.parametrize(
    "typed, passed",
    [
        ("--cores 1 --resources gpu=1 a.csv", "--cores 1 --resources gpu=1 -- a.csv"),
        ("--resources gpu=1 mem_mb=100 a.csv b.csv", "--resources gpu=1 mem_mb=100 -- a.csv b.csv"),
        ("--resources gpu=1 a.csv --cores 1 -n", "--resources gpu=1 --cores 1 -n -- a.csv"),
    ],
)
def test_a_target_after_resources_goes_behind_a_separator(typed, passed):
    assert launcher.with_separator(typed.split()) == passed.split()


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "--version",
        "--cores 1 a.csv",
        "a.csv --cores 1 --resources gpu=1",
        "--resources gpu=1 --cores 1 a.csv",
        "--cores 1 --resources gpu=1 -- a.csv",
        "--resources a.csv",
        "--config x=1 --cores 1",
    ],
)
def test_everything_else_passes_untouched(typed):
    assert launcher.with_separator(typed.split()) == typed.split()


@pytest.fixture
def locked(tmp_path):
    (tmp_path / ".snakemake" / "locks").mkdir(parents=True)
    (tmp_path / ".snakemake" / "locks" / "0.output.lock").write_text("x")
    return tmp_path


def is_locked(folder) -> bool:
    return (folder / ".snakemake" / "locks").exists()


def test_a_lock_without_a_living_snakemake_is_cleared(locked, capsys):
    launcher.clear_stale_lock(locked)
    assert not is_locked(locked) and "cleared the lock" in capsys.readouterr().err


def test_the_lock_of_a_living_snakemake_is_respected(locked):
    program = locked / "snakemake"
    program.write_text("import time; time.sleep(60)")
    alive = subprocess.Popen([sys.executable, str(program)], cwd=locked)
    try:
        time.sleep(0.3)
        launcher.clear_stale_lock(locked)
        assert is_locked(locked)
    finally:
        alive.kill()
        alive.wait()
    launcher.clear_stale_lock(locked)
    assert not is_locked(locked)


def test_a_lock_from_another_host_is_respected(locked):
    (locked / ".snakemake" / "last_host").write_text(f"not-{socket.gethostname()}")
    launcher.clear_stale_lock(locked)
    assert is_locked(locked)


def test_only_a_python_that_runs_snakemake_counts():
    assert launcher.is_snakemake(["/venv/bin/python3", "/venv/bin/snakemake", "-n"])
    assert launcher.is_snakemake(["python", "-m", "snakemake"])
    assert not launcher.is_snakemake(["bash", "-c", "snakemake --cores 1"])
    assert not launcher.is_snakemake(["python", "-m", "workflow_scripts.sample"])
    assert not launcher.snakemake_at_work(ROOT / "tests" / f"no-such-folder-{os.getpid()}")


@pytest.mark.parametrize("answer, states", [("7|CANCELLED by 1000", {"7": "CANCELLED"}), ("8|RUNNING", {"8": "RUNNING"})])
def test_a_cancelled_slurm_job_has_a_state_that_the_plugin_knows(answer, states):
    launcher.end_cancelled_jobs()
    found, seconds = asyncio.run(snakemake_executor_plugin_slurm.query_job_status(f"echo '{answer}'", logging.getLogger()))
    assert found == states and seconds > 0


def test_a_failed_query_of_slurm_stays_one():
    launcher.end_cancelled_jobs()
    assert asyncio.run(snakemake_executor_plugin_slurm.query_job_status("false", logging.getLogger())) == (None, None)


STARTED = """import sys
print(sys.argv, sys.version_info.major)
"""


@pytest.mark.parametrize("name", ["plain", "a b", 'it\'s (one) & "two" $three `four`', "ü" * 60, "x" * 200])
def test_the_lines_that_make_setup_puts_before_it_start_the_python_beside_it(tmp_path, name):
    """`#!` and a path would not: it may hold no blank and not more than 127 bytes."""
    folder = tmp_path / name / "bin"
    folder.mkdir(parents=True)
    (folder / "python").symlink_to(sys.executable)
    (folder / "launcher.py").write_text(STARTED)
    made = subprocess.run(["make", "--always-make", "-n", "setup"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (line,) = [line for line in made.splitlines() if line.startswith("sed ")]
    line = line.replace("envs/snakemake_launcher.py", "launcher.py").replace(".venv/bin/snakemake", "snakemake")
    subprocess.run(["bash", "-c", f"{line} && chmod +x snakemake"], cwd=folder, check=True)
    program = folder / "snakemake"
    result = subprocess.run([program, "a b", "--c", "$d"], capture_output=True, text=True, check=True)
    assert result.stdout == f"{[str(program), 'a b', '--c', '$d']} 3\n"
    found = subprocess.run(
        ["snakemake"], env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"}, capture_output=True, text=True
    )
    assert found.stdout == f"{[str(program)]} 3\n"


def test_it_reads_configuration_files_and_config_strictly(tmp_path, monkeypatch):
    import snakemake.cli
    import snakemake.common.configfile
    import snakemake.settings.types

    places = (snakemake.common.configfile, snakemake.settings.types)
    for module, name in (*((place, "load_configfile") for place in places), (snakemake.cli, "parse_config")):
        monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.chdir(ROOT)
    launcher.read_strictly()
    (tmp_path / "sound.yaml").write_text("seeds: [0]")
    (tmp_path / "wrong.yaml").write_text("seeds: [0]\nseeds: [1]")
    for place in places:
        assert place.load_configfile(tmp_path / "sound.yaml") == {"seeds": [0]}
        for name in ("wrong.yaml", "nowhere.yaml"):
            with pytest.raises(SystemExit, match=f"^snakemake: {tmp_path}/{name}[:,] "):
                place.load_configfile(tmp_path / name)
    assert snakemake.cli.parse_config(["device=cpu", "threads=2"]) == {"device": "cpu", "threads": 2}
    with pytest.raises(SystemExit, match=r"^snakemake: --config finetune\.lr=1: "):
        snakemake.cli.parse_config(["finetune.lr=1"])


def test_an_error_of_the_system_is_one_line_and_any_other_as_snakemake_says_it(monkeypatch):
    import snakemake.exceptions

    in_full = snakemake.exceptions.format_exception_to_string
    monkeypatch.setattr(snakemake.exceptions, "format_exception_to_string", in_full)
    launcher.shorten_system_errors()
    said = snakemake.exceptions.format_exception_to_string
    assert said(NotADirectoryError(20, "Not a directory", "results/a")).startswith("results/a: Not a directory: ")
    for other in (ValueError("a"), OSError("a")):
        assert said(other) == in_full(other)
