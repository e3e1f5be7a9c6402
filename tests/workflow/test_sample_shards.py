"""Samples drawn in shards, one of them killed twice, are those of a single job byte for byte."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from workflow_scripts import merge_samples, sample

from ..random_pipelines import write_pipeline
from ..samplers import sampler
from ..workspace import ROOT, contents

pytestmark = pytest.mark.slow

STARTS, SHARD, COUNT = (0, 5, 10), 5, 11


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """How to draw `count` prompts from `start` on into a folder, as a command line; 15 steps give time for a kill."""
    root = tmp_path_factory.mktemp("shards")
    pipeline = write_pipeline(root / "pipeline")
    prompts = pd.DataFrame({"prompt_id": [f"p{i}" for i in range(COUNT)], "prompt": [f"a cat {i}" for i in range(COUNT)]})
    prompts.to_parquet(root / "prompts.parquet")
    shared = [
        f"--pipeline={pipeline}", f"--prompts={root / 'prompts.parquet'}", "--seeds", "0", "--batch=1",
        f"--sampler={json.dumps(sampler('ddim', 15, stride=5).json)}",
    ]  # fmt: skip

    def arguments(start: int, count: int, name: str) -> list[str]:
        return [*shared, f"--start={start}", f"--count={count}", f"--out={root / name}"]

    return root, arguments


def kill_after(batches: int, arguments: list[str], partial: Path) -> None:
    """SIGKILL a sampling process as soon as so many batches are finished."""
    process = subprocess.Popen([sys.executable, "-m", "workflow_scripts.sample", *arguments], cwd=ROOT, stderr=subprocess.PIPE)
    while len(list(partial.glob("batch-*"))) < batches and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL, process.stderr.read().decode()


def test_three_shards_one_killed_twice_are_one_job_byte_for_byte(drawn):
    root, arguments = drawn
    parse = sample.make_parser().parse_args
    sample.work(parse(arguments(0, COUNT, "whole")))
    for start in STARTS:
        mine = arguments(start, min(SHARD, COUNT - start), f"shards/{start}")
        if start == STARTS[1]:
            for batches in (1, 2):
                kill_after(batches, mine, root / "shards" / str(start) / ".seed0.partial")
                assert not (root / "shards" / str(start) / "seed0").exists()
        sample.work(parse(mine))
    shards = [str(root / "shards" / str(start) / "seed0") for start in STARTS]
    merge_samples.work(merge_samples.make_parser().parse_args(["--shards", *shards, f"--out={root / 'merged'}"]))
    whole = contents(root / "whole" / "seed0", without="run.json")
    assert len(whole) == COUNT + 2 and contents(root / "merged", without="run.json") == whole
    assert np.load(root / "merged" / "latents.npy").shape == (COUNT, 4, 8, 8)
    records = [json.loads((root / name / "run.json").read_text()) for name in ("whole/seed0", "merged")]
    assert records[0]["settings"] == records[1]["settings"] and records[1]["shards"] == 3
