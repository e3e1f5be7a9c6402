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
