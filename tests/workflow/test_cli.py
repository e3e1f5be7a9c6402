"""The frame of every script, around work that fails."""

import sys

import pytest

from workflow_scripts import cli


@pytest.mark.parametrize("error", [ValueError, FileNotFoundError, ModuleNotFoundError, FloatingPointError])
def test_what_a_user_can_mend_ends_in_one_line(error, tmp_path, monkeypatch):
    def work(args):
        raise error("loss is nan at step 3: lower the learning rate")

    monkeypatch.setattr(sys, "argv", ["finetune", "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as raised:
        cli.run(cli.parser("Fine-tune."), work)
    assert str(raised.value) == "finetune: error: loss is nan at step 3: lower the learning rate"
