"""Several local GPUs: real Snakemake jobs over two ids, which need no GPU to be dealt out."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from fcr_core.gpus import one_gpu, visible_gpus

ROOT = Path(__file__).parent.parent
SNAKEFILE = """
rule all:
    input: expand("{job}.txt", job=range(6))

rule job:
    output: "{job}.txt"
    resources: gpu=1
    shell: "PYTHONPATH=$ROOT $PYTHON -c \\"$HOLD\\" {output}"
"""
# Writes the id and from when to when it was held.
HOLD = """
import os, sys, time
from pathlib import Path
from fcr_core.gpus import one_gpu
with one_gpu():
    start = time.time()
    time.sleep(1)
    Path(sys.argv[1]).write_text(" ".join(map(str, (os.environ["CUDA_VISIBLE_DEVICES"], start, time.time()))))
"""


def test_two_gpus_serve_six_jobs_one_job_a_gpu_at_a_time(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "4,6", "ROOT": str(ROOT), "PYTHON": sys.executable, "HOLD": HOLD}
    command = [sys.executable, "-m", "snakemake", "--cores", "4", "--resources", "gpu=2"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    held = sorted(file.read_text().split() for file in tmp_path.glob("*.txt"))
    assert len(held) == 6 and {gpu for gpu, _, _ in held} == {"4", "6"}
    for gpu in ("4", "6"):
        times = sorted((float(start), float(end)) for holder, start, end in held if holder == gpu)
        assert all(end <= start for (_, end), (start, _) in pairwise(times))


@pytest.mark.parametrize("given", ["3", ""])
def test_a_job_with_one_gpu_or_none_keeps_what_it_was_given(monkeypatch, given):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    with one_gpu():
        assert visible_gpus() == [given] and os.environ["CUDA_VISIBLE_DEVICES"] == given
