"""Several local GPUs: real Snakemake jobs over two ids, which need no GPU to be dealt out."""

import os
import subprocess
import sys
from itertools import pairwise
from textwrap import indent

import pytest

from fcr_core.jobs.gpus import held_gpus, visible_gpus

from ..workspace import ROOT

SNAKEFILE = """
rule all:
    input: expand("{job}.txt", job=range(6)), expand("{job}.two.txt", job=range(2))

rule job:
    output: "{job}.txt"
    wildcard_constraints: job=r"\\d"
    resources: gpu=1
    shell: "PYTHONPATH=$ROOT $PYTHON -c \\"$HOLD\\" {output}"

rule job_of_two:
    output: "{job}.two.txt"
    resources: gpu=2
    shell: "PYTHONPATH=$ROOT $PYTHON -m workflow_scripts.with_gpus 2 $PYTHON -c \\"$USE\\" {output}"
"""
# Writes the ids and from when to when they were held.
USE = """
import os, sys, time
from pathlib import Path
start = time.time()
time.sleep(1)
Path(sys.argv[1]).write_text(' '.join(map(str, (os.environ['CUDA_VISIBLE_DEVICES'], start, time.time()))))
"""
HOLD = "from fcr_core.jobs.gpus import held_gpus\nwith held_gpus():" + indent(USE, "    ")


@pytest.mark.slow
def test_three_gpus_serve_jobs_of_one_and_of_two_one_job_a_gpu_at_a_time(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "4,6,7", "ROOT": str(ROOT), "PYTHON": sys.executable}
    environment |= {"HOLD": HOLD, "USE": USE}
    command = [sys.executable, "-m", "snakemake", "--cores", "4", "--resources", "gpu=3"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    held = sorted(file.read_text().split() for file in tmp_path.glob("*.txt"))
    assert sorted(len(gpus.split(",")) for gpus, _, _ in held) == [1] * 6 + [2] * 2
    for gpu in ("4", "6", "7"):
        times = sorted((float(start), float(end)) for holders, start, end in held if gpu in holders.split(","))
        assert times
        assert all(end <= start for (_, end), (start, _) in pairwise(times))


@pytest.mark.parametrize("given", ["3", ""])
def test_a_job_with_one_gpu_or_none_keeps_what_it_was_given(monkeypatch, given):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    with held_gpus():
        assert visible_gpus() == [given] and os.environ["CUDA_VISIBLE_DEVICES"] == given
