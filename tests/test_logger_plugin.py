"""What `snakemake` shows of small runs, on a terminal and elsewhere."""

import os
import pty
import re
import subprocess
import sys

import pytest

from .workspace import ROOT

SNAKEFILE = """
rule all:
    input: "a0.txt", "a1.txt"
rule slow:
    output: "a{n}.txt"
    log: "logs/slow/{n}.log"
    shell: "(printf '\\\\rdraw:  50%%|##  | 1/2 [00:01<00:07, 1.0it/s]'; sleep 2; echo done) &> {log}; touch {output}"
rule bad:
    output: "bad.txt"
    log: "logs/bad.log"
    shell: "(echo one; printf ' 10%%\\\\r 20%%\\\\n'; echo 'ValueError: no such thing'; exit 3) &> {log}"
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    return tmp_path


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "snakemake", "--logger", "fcr", "--cores", "2", *arguments]


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"}


def run(folder, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(command(*arguments), cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def run_on_terminal(folder, *arguments: str) -> tuple[int, str]:
    """Exit code, and what a terminal got, without its control sequences."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command(*arguments), cwd=folder, env=ENVIRONMENT, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while some := os.read(ours, 4096):
            shown += some
    except OSError:  # Linux's end of a terminal
        pass
    return process.wait(), re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())


def test_elsewhere_there_is_a_line_a_job_and_nothing_overwrites(folder):
    result = run(folder)
    assert result.returncode == 0, result.stderr
    lines = result.stderr.splitlines()
    assert re.fullmatch(r"\[1/3\] slow n [01]: [23] s", lines[0]) and re.fullmatch(r"\[2/3\] slow n [01]: [23] s", lines[1])
    assert len(lines) == 3 and "\r" not in result.stderr and "\x1b" not in result.stderr


def test_on_a_terminal_there_is_a_live_line_a_job_and_one_for_the_whole(folder):
    code, shown = run_on_terminal(folder)
    assert code == 0
    assert re.search(r"slow n 0 +━+.* [0-3] s, 7 s left", shown) and re.search(r"0 of 3 jobs +━+.* [0-3] s", shown)
    assert "Traceback" not in shown and "rule slow" not in shown


@pytest.mark.slow
def test_of_a_failed_job_the_last_lines_and_the_log_are_shown(folder):
    arguments = (folder, "--show-failed-logs", "bad.txt")
    for shown in (run(*arguments).stderr, run_on_terminal(*arguments)[1]):
        lines = [line.rstrip() for line in shown.splitlines()]
        start = lines.index("FAILED bad, see logs/bad.log:")
        indented = [line for line in lines[start + 1 :] if line.startswith("    ")]
        assert indented == ["    one", "     20%", "    ValueError: no such thing"]
        assert "CalledProcessError" not in shown
    assert "no such thing" not in run(folder, "bad.txt").stderr


def test_a_wrong_target_is_named(folder):
    result = run(folder, "nowhere.txt")
    assert result.returncode != 0 and "No rule to produce nowhere.txt" in result.stderr and "Traceback" not in result.stderr


def test_nothing_to_be_done_is_said(folder):
    for name in ("a0.txt", "a1.txt"):
        (folder / name).touch()
    assert "Nothing to be done" in run(folder, "--rerun-triggers", "mtime").stderr


def test_a_dry_run_is_snakemakes_own(folder):
    result = run(folder, "-n")
    assert result.returncode == 0 and re.search(r"^slow +2$", result.stdout.split("Job stats:")[-1], flags=re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("options", ["--quiet", "--quiet rules", "--quiet all", "--verbose", "-p", "--debug-dag"])
def test_other_ways_of_talking_work(options, folder):
    result = run(folder, "a0.txt", *options.split())
    assert result.returncode == 0 and "Traceback" not in result.stderr
    if options == "-p":
        assert "touch a0.txt" in result.stderr
    if options == "--quiet all":
        assert not result.stderr
