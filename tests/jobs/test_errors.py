"""Errors that a user can mend are one line; bugs are none of them."""

import errno
import os
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from fcr_core.jobs.errors import foreseen, in_one_line
from fcr_core.jobs.files import replacing

from ..workspace import ROOT


def error_of(function, *arguments) -> Exception:
    with pytest.raises(Exception) as raised:
        function(*arguments)
    return raised.value


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EDQUOT])
def test_an_error_of_the_system_names_the_file_and_what_to_do(number):
    error = OSError(number, os.strerror(number), "results/a.npz")
    assert foreseen(error) and in_one_line(error).startswith(f"results/a.npz: {os.strerror(number)}: ")


def test_a_missing_name_is_said_with_its_place():
    error = error_of(lambda: np.load(ROOT / "nowhere.npz"))
    assert foreseen(error) and str(ROOT / "nowhere.npz") in in_one_line(error)
    error = error_of(lambda: {"a": 1}["prompt"])
    assert foreseen(error) and in_one_line(error).startswith("'prompt' is missing (tests/jobs/test_errors.py, line ")


def test_files_that_are_cut_off_are_foreseen(tmp_path):
    file = tmp_path / "a"
    save_file({"x": torch.ones(9)}, file)
    file.write_bytes(file.read_bytes()[:20])
    found = [error_of(load_file, file)]
    torch.save({"x": torch.ones(9)}, file)
    file.write_bytes(file.read_bytes()[:300])
    found += [
        error_of(torch.load, file),
        error_of(zipfile.ZipFile, file),
        error_of(tarfile.open, file),
        error_of(np.load, os.devnull),
    ]
    assert isinstance(found[0], SafetensorError)
    for error in found:
        assert foreseen(error) and "\n" not in in_one_line(error) and in_one_line(error), error


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB.")])
def test_so_is_too_little_memory(error):
    assert foreseen(error) and "Memory" in in_one_line(error) and "\n" not in in_one_line(error)


@pytest.mark.parametrize("bug", [TypeError("a"), AttributeError("a"), AssertionError(), RuntimeError("shapes"), IndexError("a")])
def test_a_bug_is_none(bug):
    assert not foreseen(bug)


FULL = """
import resource, signal, sys, torch, numpy as np
from safetensors.torch import save_file
from workflow_scripts import cli
from fcr_core.jobs.files import replacing
def work(args):
    with replacing(args.out) as draft:
        {write}
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
cli.run(cli.parser("Write."), work)
"""


@pytest.mark.parametrize(
    "write",
    [
        "np.savez(draft, x=np.ones(10**5))",
        "torch.save(torch.ones(10**5), draft)",
        "save_file({'x': torch.ones(10**5)}, draft)",
        "draft.write_text('x' * 10**5)",
        "import pandas as pd; pd.DataFrame({'x': np.random.rand(10**5)}).to_parquet(draft)",
    ],
)
def test_a_disk_that_takes_no_more_ends_in_one_line_and_leaves_no_file(tmp_path, write):
    """A limit on the size of files stands for a full disk: the same calls fail."""
    code, out = FULL.replace("{write}", write), tmp_path / "out.npz"
    result = subprocess.run([sys.executable, "-c", code, "--out", str(out)], cwd=ROOT, capture_output=True, text=True)
    lines = [line for line in result.stderr.splitlines() if "Warning" not in line and line]
    assert result.returncode == 1 and "Traceback" not in result.stderr, result.stderr
    assert lines[-1].startswith("-c: error: ") and any(said in lines[-1] for said in ("File too large", "disk is full")), (
        result.stderr
    )
    assert [file.name for file in tmp_path.iterdir()] == [".out.npz.lock"]


def test_a_full_disk_is_told_with_the_file_that_was_written(tmp_path):
    with pytest.raises(OSError, match="No space left") as raised, replacing(tmp_path / "a.npz"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert in_one_line(raised.value).startswith(f"{tmp_path / 'a.npz'}: No space left on device: make room")
