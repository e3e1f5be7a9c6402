"""What is asked of the DAG, by dry runs alone: names that nobody has, and settings that make nothing again."""

import subprocess
import sys

import pytest

from ..workspace import ROOT, Workspace

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "target",
    [
        "results/export/pocket/twemoji/lamda0.10/seed0/README.md",
        "results/samples/pocket/base/FD-7/twemoji/clean/seed0/manifest.parquet",
        "results/metrics/feature_variance/pocket/lambda0.11@twemoji/twemoji.parquet",
        "results/exp9_table.csv",
    ],
)
def test_a_mistyped_target_is_named(target):
    options = ("--configfile", "config/smoke.yaml", "-n", "--cores", "1", "--nolock")
    command = [sys.executable, "-m", "snakemake", *options, "--", target]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    said = result.stdout + result.stderr
    assert result.returncode != 0 and f"No rule to produce {target}" in said and "KeyError" not in said


def test_more_workers_download_nothing_anew(tmp_path):
    workspace = Workspace.create(tmp_path / "fcr")
    config = workspace.read_config()
    laion = {"images": 5, "min_aesthetic": 5, "min_size": 64, "max_unsafe": 0.1, "max_watermark": 0.5, "seed": 0, "workers": 8}
    config["datasets"]["laion"] = {"source": "metadata", "download": laion}
    workspace.write_config(config)
    (workspace.folder / "metadata").mkdir()
    target = workspace.folder / "results" / "laion" / "stats.json"
    target.parent.mkdir(parents=True)
    target.write_text("{}")
    taken_as_made = workspace.bash("snakemake --cores 1 --touch --force results/laion/stats.json")
    assert taken_as_made.returncode == 0, taken_as_made.stdout + taken_as_made.stderr

    laion["workers"] = 64
    workspace.write_config(config)
    assert workspace.planned("results/laion/stats.json") == {}
    laion["images"] = 6
    workspace.write_config(config)
    assert workspace.planned("results/laion/stats.json") == {"download_laion": 1}


def test_six_styles_are_downloaded_once_for_both_sets_unless_their_files_are_there(tmp_path):
    workspace = Workspace.create(tmp_path / "fcr")
    config = workspace.read_config()
    targets = " ".join(f"results/data/{name}/64/prompts.parquet" for name in ("illustrations", "unseen_illustrations"))
    assert workspace.planned(targets) == {"download_illustrations": 1, "prepare_data": 2}

    (workspace.folder / "mine").mkdir()
    (workspace.folder / "mine" / "noto-1.2.9.tgz").write_bytes(b"another file")
    config["datasets"]["illustrations"] = {"source": "mine"}
    workspace.write_config(config)
    assert workspace.planned(targets) == {"prepare_data": 2}
    result = workspace.bash(f"snakemake --cores 1 {targets}")
    log = (workspace.folder / "logs" / "prepare_data" / "illustrations_64.log").read_text()
    assert result.returncode == 1 and "mine/twemoji-1.2.5.tgz: no such file: get it from https://" in log.splitlines()[-1]
