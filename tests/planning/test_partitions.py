"""No attempt of a job asks for more than some partition of the cluster gives."""

from itertools import product
from types import SimpleNamespace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from snakemake_executor_plugin_slurm.partitions import get_best_partition, read_partition_file

from fcr_core.planning.job_resources import JobResources
from fcr_core.planning.partitions import Partition, memory_given, minutes_given, partitions_of, read_partitions

from ..workspace import ROOT
from .test_job_resources import RATES, cell, run_of

QUIET = SimpleNamespace(debug=lambda *_: None, info=lambda *_: None, warning=lambda *_: None)
SHIPPED = ROOT / "profiles" / "slurm" / "partitions.yaml"
ATTEMPTS = yaml.safe_load((ROOT / "profiles" / "slurm" / "profile.yaml").read_text())["retries"] + 1
SITES = {
    "shipped": yaml.safe_load(SHIPPED.read_text()),
    "short days": {"partitions": {"cpu": {"max_runtime": 120}, "gpu": {"max_runtime": "02:30:00", "max_gpu": 1}}},
    "small nodes": {"partitions": {"cpu": {"max_mem_mb": 3000}, "gpu": {"max_mem_mb": 9000, "max_gpu": 2, "max_runtime": 60}}},
    "large or long": {
        "partitions": {
            "large": {"max_mem_mb": 64000, "max_runtime": 90, "max_gpu": 1},
            "long": {"max_mem_mb": 6000, "max_runtime": 2880, "max_gpu": 1},
            "elsewhere": {"max_mem_mb": 10**6, "max_runtime": 10**5, "max_gpu": 8, "cluster": "other"},
        }
    },
}
RULES = {
    "sample": cell("pocket"),
    "measure_quality": cell("pocket"),
    "finetune": {"backbone": "sd15", "train": "artbench", "recipe": "lambda0.10", "seed": "0"},
    "measure_cost": {"backbone": "sd15", "experiment": "exp1", "at": ""},
}


@pytest.fixture(params=SITES)
def site(request, tmp_path):
    file = tmp_path / "partitions.yaml"
    file.write_text(yaml.safe_dump(SITES[request.param]))
    return file


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_every_attempt_fits_a_partition_that_the_plugin_would_choose(site, device):
    asked = JobResources(run_of(device=device), RATES, lambda: read_partitions(site))
    for (rule, wildcards), attempt in product(RULES.items(), range(1, ATTEMPTS + 1)):
        resources = {"mem_mb": asked.mem_mb(rule)(wildcards, attempt), "runtime": asked.minutes(rule)(wildcards, attempt)}
        gpu = {"gpu": 1} if device == "cuda" and rule != "measure_quality" else {}
        job = SimpleNamespace(name=rule, threads=1, resources=resources | gpu)
        assert get_best_partition(read_partition_file(site), job, QUIET) is not None, (rule, attempt, resources)


def test_attempts_still_ask_for_more_below_the_limits(site):
    asked = JobResources(run_of(), RATES, lambda: read_partitions(site))
    minutes = [asked.minutes("sample")(cell("pocket"), attempt) for attempt in (1, 2)]
    assert minutes == [30, 60]


def test_no_cluster_no_limit():
    assert partitions_of(SimpleNamespace(executor_settings=None)) == ()
    assert partitions_of(SimpleNamespace(executor_settings=SimpleNamespace(partition_config=None))) == ()


def test_the_file_is_the_one_that_the_plugin_reads(monkeypatch):
    named = SimpleNamespace(executor_settings=SimpleNamespace(partition_config=SHIPPED))
    assert partitions_of(named) == (Partition(minutes=1440), Partition(minutes=1440, gpus=1))
    monkeypatch.setenv("SNAKEMAKE_SLURM_PARTITIONS", str(SHIPPED))
    assert partitions_of(SimpleNamespace(executor_settings=SimpleNamespace(partition_config=None))) == partitions_of(named)


SIZES = st.integers(1, 10**6)
PARTITIONS = st.lists(st.builds(Partition, SIZES, SIZES, st.integers(0, 4)), min_size=1, max_size=5)


@given(SIZES, SIZES, st.integers(0, 5), PARTITIONS)
def test_what_is_given_fits_one_partition_and_is_all_that_was_asked_for_where_one_has_it(mem_mb, minutes, gpus, partitions):
    memory = memory_given(mem_mb, gpus, partitions)
    time = minutes_given(minutes, memory, gpus, partitions)
    able = [partition for partition in partitions if partition.gpus >= gpus] or partitions
    assert 0 < memory <= mem_mb and 0 < time <= minutes
    assert any(partition.mem_mb >= memory and partition.minutes >= time for partition in able)
    if any(partition.mem_mb >= mem_mb and partition.minutes >= minutes for partition in able):
        assert (memory, time) == (mem_mb, minutes)
