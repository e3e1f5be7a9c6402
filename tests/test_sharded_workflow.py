"""Sampling in shards by the real DAG: the samples of one job byte for byte, and the same reruns."""

from .workspace import Workspace, contents

SAMPLES = "results/samples/FD-3/twemoji/clean/seed0"


def test_shards_make_the_samples_of_one_job(tmp_path):
    workspace = Workspace.create(tmp_path / "fcr")
    target = f"{SAMPLES}/manifest.parquet"
    whole = workspace.bash(f"snakemake --cores 1 {target}")
    assert whole.returncode == 0, whole.stdout[-3000:] + whole.stderr[-3000:]
    before = contents(workspace.folder / SAMPLES, without="run.json")

    config = workspace.read_config()
    config["sampling"] |= {"shard": 4, "twin_prompts": 2}
    workspace.write_config(config)
    assert workspace.planned(target) == {"sample_shard": 2, "merge_samples": 1}
    sharded = workspace.bash(f"snakemake --cores 2 {target}")
    assert sharded.returncode == 0, sharded.stdout[-3000:] + sharded.stderr[-3000:]
    assert len(before) == 8 + 2 and contents(workspace.folder / SAMPLES, without="run.json") == before
    assert (workspace.folder / SAMPLES / "run.json").exists()
    # Of the shards nothing is left, and nothing runs again for that, until what they were drawn by changes.
    assert not list((workspace.folder / "results" / "sample_shards").rglob("*.png"))
    assert workspace.planned(target) == {}
    config["sampling"]["guidance"] = 5.0
    workspace.write_config(config)
    assert workspace.planned(target) == {"sample_shard": 2, "merge_samples": 1}
