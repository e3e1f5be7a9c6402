"""profiles/s3 against a real object server: OpenStack Swift through its S3 interface."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from ..workspace import Workspace
from .conftest import FINETUNE, run_to_the_end, smoke_workspace
from .services import service

SERVER = {"ENDPOINT_URL": "http://127.0.0.1:16900", "ACCESS_KEY": "fcr:fcr", "SECRET_KEY": "loopback"}
WEIGHTS = FINETUNE / "unet" / "diffusion_pytorch_model.safetensors"
MEASURED = [
    f"results/metrics/{kind}/pocket/lambda0.10@twemoji/FD-3/twemoji/clean.parquet" for kind in ("kid", "image_text", "pairs")
]


@pytest.fixture(scope="module")
def bucket(tmp_path_factory) -> Iterator[Any]:
    """The bucket of profiles/s3; this process and those it starts know where it is."""
    with service("swift", tmp_path_factory.mktemp("swift") / "state"), pytest.MonkeyPatch.context() as patch:
        for name, value in SERVER.items():
            patch.setenv(f"SNAKEMAKE_STORAGE_S3_{name}", value)
        url, key, secret = SERVER.values()
        s3 = boto3.resource("s3", endpoint_url=url, aws_access_key_id=key, aws_secret_access_key=secret, region_name="us-east-1")
        yield s3.Bucket("fcr")


@pytest.fixture(scope="module")
def machines(bucket, tmp_path_factory) -> list[Workspace]:
    """Two machines that share the store and a scratch volume: the first has fine-tuned, the second has sampled and measured."""
    folder = tmp_path_factory.mktemp("s3")
    machines = [smoke_workspace(folder / name) for name in ("first", "second")]
    command = f"snakemake --profile profiles/s3 --local-storage-prefix {folder}/scratch --cores 2 -- "
    run_to_the_end(machines[0], command + str(WEIGHTS))
    run_to_the_end(machines[1], command + " ".join(f"'{name}'" for name in MEASURED))
    return machines


def test_the_objects_are_the_files_of_the_local_run(machines, bucket, local):
    for name in (str(WEIGHTS), *MEASURED):
        stored = bucket.Object(f"experiment/{name}").get()["Body"].read()
        assert stored == (local.folder / name).read_bytes(), name


def test_the_second_machine_goes_on_where_the_first_ended(machines):
    ran = [max((machine.folder / ".snakemake" / "log").iterdir()).read_text() for machine in machines]
    assert "rule finetune" in ran[0] and "rule finetune" not in ran[1]
    assert "rule measure_pairs" in ran[1]


def test_results_are_in_the_store_and_not_in_the_checkout(machines, bucket):
    assert not any((machine.folder / "results" / "metrics").exists() for machine in machines)
    logs = {item.key for item in bucket.objects.filter(Prefix="experiment/logs/finetune")}
    assert logs == {"experiment/logs/finetune/pocket_twemoji_lambda0.10_seed0.log"}
