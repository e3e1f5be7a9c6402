"""profiles/slurm on a real single-node SLURM with fake GPUs, disturbed while the smoke DAG runs."""

import json
import re

import pandas as pd

from .conftest import run_to_the_end

# What the table takes from the clock. Every other column is a count, or drawn from seeds.
TIMED = r"(latency_ms|speedup)_b\d+(_\w+)?"


def cells(workspace) -> pd.DataFrame:
    """The table's cells as they are written."""
    return pd.read_csv(workspace.folder / "results" / "exp1_table.csv", dtype=str, keep_default_na=False)


def test_the_table_is_that_of_the_local_run_byte_for_byte_but_for_times(local, cluster):
    here, there = cells(local), cells(cluster.workspace)
    timed = [column for column in here if re.fullmatch(TIMED, column)]
    assert list(here) == list(there) and len(timed) == 6
    pd.testing.assert_frame_equal(here.drop(columns=timed), there.drop(columns=timed), check_exact=True)


def test_every_job_ran_in_slurm(cluster):
    rules = set(cluster.jobs["name"].str.extract(r"rule_(\w+?)(?:_wildcards|$)")[0])
    assert {"prepare_data", "finetune", "sample", "table", "plot_figure"} <= rules
    assert cluster.workspace.planned() == {}


def test_a_cancelled_fine_tune_is_submitted_again_and_goes_on_from_its_checkpoint(cluster):
    tries = cluster.jobs[cluster.jobs["name"].str.startswith("rule_finetune_wildcards_pocket_twemoji_lambda0.10")]
    assert tries["id"].iloc[0] == cluster.cancelled and tries["state"].iloc[0].startswith("CANCELLED")
    assert tries["state"].iloc[-1] == "COMPLETED"
    log = cluster.workspace.folder / "logs/finetune/pocket_twemoji_lambda0.10_seed0.log"
    assert re.search(r"resuming at step \d+", log.read_text())


def test_a_job_that_exceeds_its_memory_is_submitted_again_with_more(cluster):
    tries = cluster.jobs[cluster.jobs["name"].str.startswith("rule_train_lit")]
    assert tries["memory"].tolist()[:2] == ["400M", "3200M"] and tries["state"].iloc[-1] == "COMPLETED"
    logs = (cluster.workspace.folder / ".snakemake" / "slurm_logs").glob(f"rule_train_lit/*/{tries['id'].iloc[0]}.log")
    assert "exceeded memory limit" in next(logs).read_text()


def test_no_gpu_is_held_by_two_jobs_at_once(cluster):
    assert {gpu for holders in cluster.gpu_holders for gpu in holders} == {"0", "1"}
    assert any(len(holders) == 2 for holders in cluster.gpu_holders)
    assert all(len(jobs) == 1 for holders in cluster.gpu_holders for jobs in holders.values())


def test_jobs_that_ran_while_the_controller_restarted_are_not_lost(cluster):
    back = pd.Timestamp.fromtimestamp(cluster.controller_back)
    during = (pd.to_datetime(cluster.jobs["start"], errors="coerce") < back) & (pd.to_datetime(cluster.jobs["end"]) > back)
    assert (cluster.jobs[during]["state"] == "COMPLETED").any()


def test_gpu_jobs_and_others_go_to_their_partitions(cluster):
    partitions = cluster.jobs.groupby("partition")["name"].agg(list)
    assert any(name.startswith("rule_sample_wildcards") for name in partitions["gpu"])
    assert not any("train_lit" in name or "table" in name for name in partitions["gpu"])


def test_measurements_are_grouped(cluster):
    files = len(list((cluster.workspace.folder / "results" / "metrics").glob("*/*.parquet")))
    measuring = cluster.jobs["name"].str.startswith("rule_measure")
    assert 0 < measuring.sum() < files / 3


def test_the_processes_of_a_job_step_share_out_a_fine_tune(cluster, tmp_path):
    options = "--steps=2 --batch=2 --accumulate=2 --lr=1e-5 --seed=0 --pipeline=models/pocket --recipe='{\"lam\": 1}'"
    data = f"--train-set=results/train_set/pocket/twemoji.safetensors --out={tmp_path}/seed0"
    run_to_the_end(cluster.workspace, f"srun --ntasks=2 --mem=6000 python -m workflow_scripts.finetune {options} {data}")
    assert json.loads((tmp_path / "seed0" / "run.json").read_text())["settings"]["processes"] == "2"
