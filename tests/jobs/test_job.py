import multiprocessing
import subprocess
import time

import pytest
import torch

from fcr_core.jobs.files import write_json
from fcr_core.jobs.job import finished_by_another, partial_work, run_record, sha256_of, sole_writer


def hold(output, started, seconds):
    with sole_writer(output):
        started.set()
        time.sleep(seconds)


def test_a_second_writer_waits_for_the_first_even_if_that_is_an_orphan(tmp_path, caplog):
    context = multiprocessing.get_context("spawn")
    started = context.Event()
    orphan = context.Process(target=hold, args=(tmp_path / "out", started, 1.0))
    orphan.start()
    assert started.wait(60)
    with sole_writer(tmp_path / "out"):
        assert "another process still writes" in caplog.text
        orphan.join(5)
        assert orphan.exitcode == 0


def test_a_killed_writer_leaves_no_lock(tmp_path):
    context = multiprocessing.get_context("spawn")
    started = context.Event()
    killed = context.Process(target=hold, args=(tmp_path / "out", started, 60))
    killed.start()
    assert started.wait(60)
    killed.kill()
    with sole_writer(tmp_path / "out"):
        pass


def test_partial_work_survives_the_same_settings_only(tmp_path):
    folder = partial_work(tmp_path / "out", {"lr": 0.1})
    (folder / "shard").touch()
    assert (partial_work(tmp_path / "out", {"lr": 0.1}) / "shard").exists()
    assert not (partial_work(tmp_path / "out", {"lr": 0.2}) / "shard").exists()


def test_the_record_names_versions_commit_and_time(tmp_path):
    record = run_record({"lam": 0.1, "out": tmp_path}, started=time.time() - 3)
    assert record["settings"] == {"lam": "0.1", "out": str(tmp_path)}
    assert record["packages"]["torch"] and record["commit"]
    assert 3 <= record["wall_seconds"] < 10


def test_the_record_names_what_the_job_computed_on():
    torch.ones(2).sum()
    device = run_record({}, time.time())["device"]
    assert device in subprocess.run(["lscpu"], capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_record_names_the_gpu_once_it_is_used():
    torch.ones(2, device="cuda").sum()
    assert run_record({}, time.time())["device"] == torch.cuda.get_device_name()


def test_a_result_counts_as_finished_only_with_its_declared_file_and_the_same_settings(tmp_path):
    settings = {"lr": 0.1, "inputs": ["abc"]}
    write_json(tmp_path / "run.json", run_record(settings, time.time()))
    assert not finished_by_another(tmp_path, "manifest.parquet", settings)
    (tmp_path / "manifest.parquet").touch()
    assert finished_by_another(tmp_path, "manifest.parquet", settings)
    assert not finished_by_another(tmp_path, "manifest.parquet", settings | {"lr": 0.2})


def test_a_checksum_is_that_of_the_bytes(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256_of(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
