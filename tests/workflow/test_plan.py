"""The plan of the smoke configuration, as a user asks for it."""

import json
import re
import subprocess
import sys

import pytest

from workflow_scripts.dag import build_dag

from ..workspace import ROOT

pytestmark = pytest.mark.slow

SMOKE = "config/smoke.yaml"


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    file = tmp_path_factory.mktemp("plan") / "plan.json"
    result = run("workflow_scripts.plan", SMOKE, "--experiments", "exp1", "--json", str(file))
    assert result.returncode == 0, result.stderr
    return result.stdout, json.loads(file.read_text())


def test_it_plans_the_jobs_that_snakemake_would_run(planned):
    options = ("--configfile", SMOKE, "--forceall", "-n", "--cores", "1", "--quiet", "rules", "--nolock")
    result = run("snakemake", *options, "--", "exp1")
    assert result.returncode == 0, result.stdout + result.stderr
    stats = (result.stdout + result.stderr).split("Job stats:")[-1]
    wanted = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", stats, flags=re.MULTILINE)}
    assert wanted.pop("total") == planned[1]["exp1"]["jobs"]
    assert planned[1]["exp1"]["rules"] == wanted


def test_it_says_hours_money_disk_memory_and_the_critical_path(planned):
    text, numbers = planned
    exp1 = numbers["exp1"]
    assert exp1["gpu_hours"] == 0 < exp1["cpu_hours"] and exp1["dollars"] == 0
    assert exp1["critical_path"][0].startswith("prepare_data") and "table (exp1)" in exp1["critical_path"]
    assert exp1["written"]["weights"] == 2 * 4 * 4_583_396  # two fine-tunes of the pocket UNet
    assert any(name.startswith("pocket: fine-tune ") and ", batch 4" in name for name in numbers["memory"])
    for said in ("| sample ", "cost: GPU 0 s", "disk: ", "critical path:", "Peak memory"):
        assert said in text, said


def test_sources_that_are_not_here_are_named_and_taken_for_granted(tmp_path):
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text("metrics: {extractor: inception, weights: {inception: resources/nowhere.pt}}")
    result = run("workflow_scripts.plan", str(elsewhere), "--experiments", "exp1", "--no-memory")
    assert result.returncode == 0, result.stderr
    assert "missing: resources/nowhere.pt: planned as if it were here" in result.stdout


def test_on_gpus_whatever_holds_one_computes_on_it_and_nothing_else_does(tmp_path):
    (tmp_path / "cuda.yaml").write_text("device: cuda")
    dag = build_dag({"exp1", "recipes"}, [str(tmp_path / "cuda.yaml")])
    holding = {job.rule.name for job in dag.jobs if job.resources.get("gpu")}
    computing = {job.rule.name for job in dag.jobs if re.search("--device[ =]cuda", job.shellcmd or "")}
    assert holding == computing >= {"encode_data", "finetune", "sample", "sample_features", "measure_variance"}


def test_every_backbone_in_use_is_planned_though_none_is_here(tmp_path):
    (tmp_path / "two.yaml").write_text(
        "{backbones: {sd15: {train: twemoji}, narrow: {like: pocket, train: twemoji}}, scenarios: {hires: {size: 128}},"
        " experiments: {exp1: {backbones: [narrow, sd15], scenarios: [clean, hires], rows: [uncached, {stride: 2}], cost: null,"
        " criteria: null, figures: []}}}"
    )
    result = run(
        "workflow_scripts.plan", SMOKE, str(tmp_path / "two.yaml"), "--experiments", "exp1", "--json", str(tmp_path / "a")
    )
    assert result.returncode == 0, result.stderr
    assert "backbones: narrow, sd15; data sets: twemoji; scenarios: clean, hires" in result.stdout
    planned = json.loads((tmp_path / "a").read_text())
    assert planned["exp1"]["backbones"] == ["narrow", "sd15"] and planned["exp1"]["rules"]["sample"] == 8
    drawn = {name for name in planned["memory"] if "sampling" in name}
    assert {name.split(",")[1].strip() for name in drawn if name.startswith("sd15")} == {"512 px", "128 px"}
    assert {name.split(",")[1].strip() for name in drawn if name.startswith("narrow")} == {"64 px", "128 px"}


def test_an_unknown_experiment_is_named():
    result = run("workflow_scripts.plan", SMOKE, "--experiments", "exp9")
    assert result.returncode != 0 and "--experiments exp9: must be one of exp1, " in result.stderr


def test_a_wrong_configuration_ends_in_one_line(tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("finetune: {lr: -1}")
    result = run("workflow_scripts.plan", str(wrong))
    assert result.returncode != 0 and "Traceback" not in result.stderr
    assert "config key finetune.lr = -1: must be above 0" in result.stderr
