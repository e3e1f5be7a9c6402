"""The frame of every script, around work that fails."""

import sys
from pathlib import Path

import pytest

from workflow_scripts import cli

OF_EACH = [
    (OSError(28, "No space left on device", "results/a.npz"), "results/a.npz: No space left on device: make room"),
    (PermissionError(13, "Permission denied", "results"), "results: Permission denied: change its permissions"),
    (KeyError("prompt"), "'prompt' is missing (tests/workflow/test_cli.py, line "),
    (ValueError("two\nlines"), "two lines"),
    (MemoryError(), "MemoryError"),
]


def run(monkeypatch, out, work, **more) -> SystemExit:
    monkeypatch.setattr(sys, "argv", ["finetune", "--out", str(out)])
    made = cli.parser("Fine-tune.")
    for name, kind in more.items():
        made.add_argument(f"--{name}", type=kind, default="x")
    with pytest.raises(SystemExit) as raised:
        cli.run(made, work)
    assert "\n" not in str(raised.value)
    return raised.value


@pytest.mark.parametrize("error, says", OF_EACH, ids=[type(error).__name__ for error, _ in OF_EACH])
def test_so_does_whatever_can_be_foreseen(error, says, tmp_path, monkeypatch):
    def work(args):
        raise error

    assert str(run(monkeypatch, tmp_path / "out", work)).startswith(f"finetune: error: {says}")


def test_so_do_an_output_that_cannot_be_and_an_argument_that_names_no_file(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    text = str(run(monkeypatch, tmp_path / "file" / "out", lambda args: None))
    assert text.startswith(f"finetune: error: {tmp_path}/file") and "a file is where a folder should be" in text
    nowhere = str(run(monkeypatch, tmp_path / "out", lambda args: None, experiment=lambda _: Path("nowhere").read_text()))
    assert nowhere == "finetune: error: nowhere: No such file or directory"


def test_a_bug_keeps_its_traceback(tmp_path, monkeypatch):
    def work(args):
        raise TypeError("a bug")

    monkeypatch.setattr(sys, "argv", ["finetune", "--out", str(tmp_path / "out")])
    with pytest.raises(TypeError, match="a bug"):
        cli.run(cli.parser("Fine-tune."), work)


@pytest.mark.parametrize("error", [ValueError, FileNotFoundError, ModuleNotFoundError, FloatingPointError])
def test_what_a_user_can_mend_ends_in_one_line(error, tmp_path, monkeypatch):
    def work(args):
        raise error("loss is nan at step 3: lower the learning rate")

    monkeypatch.setattr(sys, "argv", ["finetune", "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as raised:
        cli.run(cli.parser("Fine-tune."), work)
    assert str(raised.value) == "finetune: error: loss is nan at step 3: lower the learning rate"
