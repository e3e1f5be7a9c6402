"""Sampling in shards by the real DAG: the samples of one job byte for byte, and the same reruns; images that are not kept."""

import pytest

from ..workspace import Workspace, contents

pytestmark = pytest.mark.slow

SAMPLES = "results/samples/pocket/base/FD-3/twemoji/clean/seed0"


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
    # Images, two files, and the time stamp of Snakemake's directories.
    assert len(before) == 8 + 2 + 1 and contents(workspace.folder / SAMPLES, without="run.json") == before
    assert (workspace.folder / SAMPLES / "run.json").exists()
    # Of the shards nothing is left, and nothing runs again for that, until what they were drawn by changes.
    assert not list((workspace.folder / "results" / "sample_shards").rglob("*.png"))
    assert workspace.planned(target) == {}
    config["sampling"]["guidance"] = 5.0
    workspace.write_config(config)
    assert workspace.planned(target) == {"sample_shard": 2, "merge_samples": 1}


def test_all_seeds_in_one_job_make_the_samples_of_a_job_a_seed(tmp_path):
    workspace = Workspace.create(tmp_path / "fcr")
    config = workspace.read_config()
    config |= {"seeds": [0, 1]}
    target, model = "results/samples/pocket/{}/FD-3/twemoji/clean/seed{}", "lambda0.10@twemoji"
    made = {}
    for together in (False, True):
        config["sampling"]["seeds_together"] = together
        workspace.write_config(config)
        targets = " ".join(f"'{target.format(model, seed)}/manifest.parquet'" for seed in (0, 1))
        if together:
            assert workspace.planned(targets) == {"sample": 1}
        ran = workspace.bash(f"snakemake --cores 1 {targets}")
        assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
        folders = [workspace.folder / target.format(model, seed) for seed in (0, 1)]
        made[together] = [contents(folder, without="run.json") for folder in folders]
    assert made[True] == made[False] and made[True][0] != made[True][1]


def test_images_that_are_not_kept_go_when_all_have_read_them(tmp_path):
    workspace = Workspace.create(tmp_path / "fcr")
    config = workspace.read_config()
    config["sampling"]["keep_images"] = False
    workspace.write_config(config)
    targets = (
        "results/features/effnet/pocket/base/FD-3/twemoji/clean.npz results/metrics/pairs/pocket/base/FD-3/twemoji/clean.parquet"
    )
    ran = workspace.bash(f"snakemake --cores 2 {targets}")
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    assert not list((workspace.folder / "results" / "samples").rglob("*.png"))
    assert (workspace.folder / SAMPLES / "latents.npy").exists()
    assert workspace.planned(targets) == {}
    # What has to see them draws them again.
    assert workspace.planned("results/features/inception/pocket/base/FD-3/twemoji/clean.npz")["sample"] == 1
