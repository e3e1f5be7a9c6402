"""Memory and time that jobs ask for."""

import subprocess
import sys

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from fcr_core.experiment.backbone_settings import BackboneSettings
from fcr_core.planning.counted_networks import count_networks
from fcr_core.planning.job_costs import COSTS
from fcr_core.planning.job_resources import MOST_MINUTES, ON_DEVICE, JobResources, memory_mb, minutes
from fcr_core.planning.network_costs import known_costs, table
from fcr_core.planning.peaks import networks_of
from fcr_core.planning.planned_run import PlannedRun
from fcr_core.planning.rates import Rates

from ..workspace import ROOT, merged

RATES = Rates.read(ROOT / "config" / "rates.yaml")
TWO = {
    "backbones": {"sd21": {"train": "artbench"}, "sd15": {"train": "artbench"}},
    "datasets": {"artbench": {"train_images": 40000}},
    "experiments": {"exp1": {"backbones": ["pocket", "sd15", "sd21"]}},
}


def run_of(**more) -> PlannedRun:
    config = merged(yaml.safe_load((ROOT / "config.yaml").read_text()), TWO)
    return PlannedRun.from_config(merged(config, more), known_costs)


@pytest.fixture(scope="module")
def run() -> PlannedRun:
    return run_of()


def cell(backbone: str) -> dict[str, str]:
    return {"cell": f"{backbone}/base/FD-10/twemoji/clean"}


@pytest.mark.parametrize("name", ["pocket", "sd15"])
def test_the_table_of_networks_is_what_is_counted(run, name):
    settings = run.backbones[name]
    assert table()[name] == count_networks(networks_of(settings))
    assert known_costs(settings, settings.size) == table()[name]


def test_a_folder_counts_by_its_weights(tmp_path):
    half = table()["pocket"].parameters // 2
    (tmp_path / "unet").mkdir()
    weights = {"a": np.zeros((half - 7, 1), np.int8), "b": np.zeros(7, np.int8)}
    save_file(weights, tmp_path / "unet" / "diffusion_pytorch_model.safetensors")
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    settings = BackboneSettings.from_config(merged(config, {"backbones": {"pocket": {"source": str(tmp_path)}}}), "pocket")
    known = known_costs(settings, 64)
    assert known.parameters == half and known.unet.full == pytest.approx(table()["pocket"].unet.full / 2, rel=1e-3)


def test_a_pocket_job_asks_for_what_was_measured_and_no_more(run):
    """1.4 GB at most (README, "Where the time goes")."""
    wanted = {
        "sample": cell("pocket"),
        "finetune": {"backbone": "pocket", "train": "twemoji", "recipe": "lambda0.10", "seed": "0"},
        "measure_quality": cell("pocket"),
        "table": {"experiment": "exp1"},
    }
    assert {memory_mb(run, rule, wildcards) for rule, wildcards in wanted.items()} == {2000}


def test_memory_follows_the_backbone(run):
    """SD v1.5 with a few images of 64 px held 8.6 GB while it loaded (docs/backbones.md); a CPU also holds activations."""
    on_cuda = run_of(device="cuda")
    cuda = [memory_mb(on_cuda, "sample", cell(name)) for name in ("pocket", "sd15", "sd21")]
    assert 8_600 < cuda[1] < 16_000 and cuda[0] < cuda[1] < cuda[2]
    cpu = [memory_mb(run, "sample", cell(name)) for name in ("pocket", "sd15", "sd21")]
    assert cpu[1] > cuda[1] + 10_000 and cpu[2] > cpu[1] + 10_000


def test_a_fine_tune_on_a_cpu_holds_its_moments(run):
    tune = {"backbone": "sd15", "train": "artbench", "recipe": "lambda0.10", "seed": "0"}
    assert memory_mb(run, "finetune", tune) > 16 * table()["sd15"].parameters / 1e6


def test_time_follows_the_backbone_and_has_bounds(run):
    found = [minutes(run, RATES, "sample", cell(name)) for name in ("pocket", "sd15")]
    assert found == [30, MOST_MINUTES]


def test_each_attempt_asks_for_more(run):
    asked = JobResources(run, RATES)
    memory, time = asked.mem_mb("sample"), asked.minutes("sample")
    assert [memory(cell("pocket"), attempt) for attempt in (1, 2)] == [2000, 4000]
    assert [time(cell("pocket"), attempt) for attempt in (1, 2)] == [30, 60]
    assert time(cell("sd15"), 3) == MOST_MINUTES


def test_jobs_of_a_cell_are_counted_once(run, monkeypatch):
    asked = JobResources(run, RATES)
    first = asked.minutes("sample_seed")(cell("pocket") | {"seed": "1"}, 1)
    monkeypatch.setitem(COSTS, "sample_seed", None)
    assert asked.minutes("sample_seed")(cell("pocket") | {"seed": "2"}, 1) == first


def test_rules_on_the_device_have_costs():
    assert set(COSTS) >= ON_DEVICE


def test_rules_need_no_torch():
    code = "import sys, fcr_core.planning.job_resources; print(sorted({'torch', 'diffusers'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
