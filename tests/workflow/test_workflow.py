"""The real DAG on a tiny configuration: what users type, what reruns after which edit, and what a kill leaves."""

from __future__ import annotations

import copy
import math
import os
import shutil
import signal
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from ..workspace import ROOT, Workspace, contents, readme_blocks

FCR = "results/samples/pocket/lambda0.10@twemoji/FD-3/twemoji/clean/seed0"
FINETUNE = "results/finetune/pocket/twemoji/lambda0.10/seed0"
# What follows from any measurement.
TABLES = {"table": 1, "plot_figure": 1, "plot_samples": 1, "build_report": 1, "explain_columns": 1}


def value(workspace: Workspace, experiment: str, row: str, metric: str, statistic: str = "value") -> float:
    """A number of a row, from the long table of everything that was measured."""
    table = pd.read_csv(workspace.folder / "results" / f"{experiment}_measurements.csv")
    found = table[(table["variation"] == row) & (table["metric"] == metric) & (table["statistic"] == statistic)]
    return float(found["value"].item())


@pytest.fixture
def edited(ran):
    """The workspace for one edit, undone afterwards with the files' times."""
    kept = {name: ran.folder.parent / f"kept-{name}" for name in ("fcr_core", "config.yaml")}
    shutil.copytree(ran.folder / "fcr_core", kept["fcr_core"])
    shutil.copy2(ran.folder / "config.yaml", kept["config.yaml"])
    yield ran
    shutil.rmtree(ran.folder / "fcr_core")
    kept["fcr_core"].rename(ran.folder / "fcr_core")
    kept["config.yaml"].rename(ran.folder / "config.yaml")


def test_the_main_command_writes_table_verdicts_and_figures(ran):
    table = pd.read_csv(ran.folder / "results" / "exp1_table.csv")
    rows = ["uncached-6", "DPM++4", "FD-2", "FD-3", "FCR(0)-FD-3", "FCR(0.10)-FD-3"]
    assert table["variation"].tolist() == rows
    assert set(table["n_images"]) == {8} and set(table["n_prompts"]) == {8} and set(table["n_seeds"]) == {1}
    assert len(table.columns) <= 40 and set(table["backbone"]) == {"pocket"} and set(table["scenario"]) == {"clean"}
    fd = table.set_index("variation").loc["FD-3"]
    assert (fd["encoder_passes"], fd["decoder_passes"], fd["role"]) == (2, 6, "cached")
    assert value(ran, "exp1", "uncached-6", "latent_mse_own") == value(ran, "exp1", "uncached-6", "latent_mse_base") == 0
    assert value(ran, "exp1", "FD-3", "latent_mse_own") > 0
    for metric in (
        "kid_effnet",
        "frechet_pca64_effnet",
        "class_score_effnet",
        "precision_effnet",
        "lit_score",
        "embedding_drift_lit_own",
        "ssim_own",
        "latent_mse_base",
        "feature_variance_d10",
    ):
        for row in rows:
            low, middle, high = (value(ran, "exp1", row, metric, which) for which in ("low", "value", "high"))
            assert low <= middle <= high, (row, metric)
    # Of all held-out images: eight drawn ones may score above them, but real pairs must match better than chance (0).
    assert abs(value(ran, "exp1", "FD-3", "kid_effnet", "real")) < 0.05 < value(ran, "exp1", "FD-3", "lit_score", "real")
    criteria = pd.read_csv(ran.folder / "results" / "exp1_criteria.csv")
    assert set(criteria["verdict"]) <= {"met", "not met", "inconclusive"}
    for figure in ("exp1_tradeoff", "exp1_samples"):
        assert (ran.folder / "results" / "figures" / f"{figure}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_recipes_are_judged_by_the_same_dag(ran):
    result = ran.bash("snakemake --cores 2 recipes")
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    criteria = pd.read_csv(ran.folder / "results" / "recipes_criteria.csv")
    own = "decoder-5-cut2-linear-FD-2-cut2-linear"
    assert list(dict.fromkeys(criteria["variation"])) == ["FD-3keys-cut2-linear", "FCR(0.10)-FD-3", own]
    assert set(criteria["verdict"]) <= {"met", "not met", "inconclusive"} and len(criteria) == 3 * 16
    # At key steps a reuse decoder's model is the base model: one uncached output, so one distance.
    assert value(ran, "recipes", own, "latent_mse_own") == value(ran, "recipes", own, "latent_mse_base") > 0


@pytest.mark.slow
def test_the_ablation_grid_is_measured_by_the_same_dag(ran):
    result = ran.bash("snakemake --cores 2 ablations")
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    table = pd.read_csv(ran.folder / "results" / "ablations_table.csv").set_index("variation")
    mechanism = pd.read_csv(ran.folder / "results" / "ablations_mechanism.csv").set_index(["recipe", "block", "delta"])
    fits = pd.read_csv(ran.folder / "results" / "ablations_mechanism_fit.csv")
    recipes = ["control", "relative", "cosine"]
    rows = ["uncached-6", "FD-2", "FD-3", *(f"{recipe}-FD-{stride}" for stride in (2, 3) for recipe in recipes)]
    assert set(table.index) == {*rows, "decoder-5-cut2-linear-FD-2-cut2-linear"} and (table["n_prompts"] == 4).all()
    assert mechanism.loc[("control", "mid", 10), "variance_change"] == 0
    blocks = mechanism.loc["relative"].xs(10, level="delta")["variance"]
    assert blocks["all"] == pytest.approx(blocks.drop("all").mean()) and (fits["n_models"] == 4).all()


@pytest.mark.slow
def test_the_sampler_plane_is_drawn_by_the_same_dag(ran):
    result = ran.bash("snakemake --cores 2 plane")
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    plane = pd.read_csv(ran.folder / "results" / "plane_table.csv").set_index("variation")
    assert plane.index.tolist() == [
        "uncached-6", "DDIM-3", "DPM++3", "FD-2", "FD-2-nodes2", "FD-2-cut2", "FD-2-cut2-nodes2", "DeepCache-2-cut2"
    ]  # fmt: skip
    assert (plane["n_images"] == 3).all()
    # Both decoders of a group of two are its nodes: the same images.
    assert value(ran, "plane", "FD-2-nodes2", "latent_mse_own") == value(ran, "plane", "FD-2", "latent_mse_own") > 0
    # Three prompts may leave even a row against itself open; the tests of verdicts have known answers.
    assert set(pd.read_csv(ran.folder / "results" / "plane_criteria.csv")["verdict"]) <= {"met", "not met", "inconclusive"}


@pytest.mark.slow
@pytest.mark.parametrize("block", readme_blocks()[1:])
def test_every_command_of_the_readme_runs_verbatim(ran, block):
    if block.strip() == "make test":
        return  # this very run
    result = ran.bash(block)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_second_call_runs_nothing(ran):
    assert ran.planned() == {}


@pytest.mark.slow
def test_touching_everything_reruns_nothing(ran):
    ran.bash("find . -path ./.snakemake -prune -o -path ./.venv -prune -o -type f -print0 | xargs -0 touch")
    assert ran.planned() == {}


@pytest.mark.slow
def test_moving_the_checkout_reruns_nothing(ran):
    moved = Workspace(ran.folder.with_name("moved"))
    ran.folder.rename(moved.folder)
    try:
        assert moved.planned() == {}
    finally:
        moved.folder.rename(ran.folder)


@pytest.mark.slow
def test_a_comment_reruns_nothing(edited):
    edited.edit("fcr_core/finetuning/consistency.py", "Distance = ", "# why\nDistance = ")
    assert edited.planned() == {}


def test_editing_the_loss_reruns_the_fine_tunes_and_what_follows(edited):
    edited.edit("fcr_core/finetuning/consistency.py", "(a - b).square().mean()", "(a - b).abs().mean()")
    assert edited.planned() == {
        "finetune": 2, "sample": 4, "sample_features": 4, "measure_quality": 2, "measure_pairs": 2,
        "measure_variance": 2, **TABLES,
    }  # fmt: skip


@pytest.mark.slow
def test_editing_a_metric_reruns_that_metric_and_the_tables(edited):
    edited.edit("fcr_core/metrics/kid.py", "base * base * base", "base * base")
    assert edited.planned() == {"measure_quality": 6, "measure_real": 1, **TABLES}


@pytest.mark.slow
def test_editing_statistics_reruns_the_tables_only(edited):
    edited.edit("fcr_core/statistics/intervals.py", "0.975", "0.995")
    assert edited.planned() == TABLES


@pytest.mark.slow
def test_what_changes_no_result_reruns_nothing(edited):
    config = edited.read_config()
    config["finetune"]["checkpoint_every"], config["sampling"]["batch"] = 1, 8
    edited.write_config(config)
    assert edited.planned() == {}


@pytest.mark.slow
def test_a_new_lambda_runs_only_the_new_jobs(edited):
    config = edited.read_config()
    config["experiments"]["exp1"]["rows"][-1]["lam"].append(0.4)
    edited.write_config(config)
    assert edited.planned() == {
        "finetune": 1, "sample": 2, "sample_features": 2, "measure_quality": 1, "measure_pairs": 1,
        "measure_variance": 1, **TABLES,
    }  # fmt: skip


def test_a_wrong_configuration_ends_in_one_line_and_deletes_nothing(edited):
    before = contents(edited.folder / "results")
    config = copy.deepcopy(edited.read_config())
    config["experiments"]["exp1"]["rows"][-1]["lam"] = [-1]
    edited.write_config(config)
    result = edited.bash("make exp1 2>&1 | tail -n 3; exit ${PIPESTATUS[0]}")
    assert result.returncode != 0
    assert "snakemake: config key experiments.exp1.rows[3].lam[0] = -1: must be at least 0" in result.stdout
    assert "Traceback" not in result.stdout
    assert contents(edited.folder / "results") == before


def forget_fcr(results: Path) -> None:
    """Remove all that depends on the fine-tune with λ = 0.10, so that one call makes it again."""
    shutil.rmtree(results / "finetune" / "pocket" / "twemoji" / "lambda0.10")
    for path in [*results.glob("exp1_table.*"), *results.glob("figures/*"), *results.rglob("lambda0.10@*")]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def wait_for(condition, seconds: float = 120) -> None:
    deadline = time.time() + seconds
    while not condition():
        assert time.time() < deadline, "waited in vain"
        time.sleep(0.02)


def signal_snakemake(folder: Path, number: int) -> None:
    """Signal make and Snakemake but not their jobs: those live on as orphans of killed ones."""
    for process in psutil.process_iter(["cmdline", "cwd"]):
        command = " ".join(process.info["cmdline"] or [])
        if process.info["cwd"] == str(folder) and (command.startswith("make") or "bin/snakemake" in command.split("-euo")[0]):
            os.kill(process.pid, number)


@pytest.mark.slow
def test_killed_in_a_fine_tune_and_in_a_sampling_job_it_ends_byte_identical(ran):
    before = contents(ran.folder / "results" / "samples", without="run.json")
    table = pd.read_csv(ran.folder / "results" / "exp1_table.csv")
    forget_fcr(ran.folder / "results")

    running = ran.start("make exp1")
    wait_for(lambda: (ran.folder / FINETUNE).with_name(".seed0.partial").joinpath("checkpoint.pt").exists())
    # A live Snakemake keeps its lock: a second one is refused. It waits meanwhile, so that no sample is drawn yet.
    signal_snakemake(ran.folder, signal.SIGSTOP)
    refused = ran.bash("snakemake --cores 1 results/exp1_table.csv")
    assert refused.returncode != 0 and "locked" in refused.stdout + refused.stderr
    signal_snakemake(ran.folder, signal.SIGKILL)
    running.wait()

    running = ran.start("make exp1")
    wait_for(lambda: list((ran.folder / FCR).parent.glob(".seed0.partial/batch-*")))
    signal_snakemake(ran.folder, signal.SIGKILL)
    running.wait()

    result = ran.bash("make exp1")
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    assert contents(ran.folder / "results" / "samples", without="run.json") == before
    pd.testing.assert_frame_equal(pd.read_csv(ran.folder / "results" / "exp1_table.csv"), table)
    assert ran.planned() == {}


@pytest.mark.slow
def test_snakemakes_own_report_has_captions_and_labels_without_a_network(ran):
    result = ran.bash("https_proxy=http://127.0.0.1:9 snakemake --cores 1 --report results/snakemake_report.html")
    assert result.returncode == 0, result.stdout + result.stderr
    report = (ran.folder / "results" / "snakemake_report.html").read_text()
    for said in ("exp1_tradeoff.png", "quality against latency", "the latency that FLOPs alone allow"):
        assert said in report, said


@pytest.mark.slow
def test_lint_is_clean(ran):
    result = ran.bash("snakemake --lint")
    assert result.returncode == 0, result.stdout + result.stderr


def test_no_target_is_committed():
    assert not (ROOT / ".git").exists() or not os.popen(f"git -C {ROOT} ls-files results").read()


# The last tests leave the workspace with the results of another configuration.


@pytest.mark.slow
def test_metrics_that_ask_for_captions_are_measured_in_the_space_of_the_image_text_score(edited):
    config = edited.read_config()
    config["metrics"]["sets"] += ["cmmd", "joint_precision_recall", "prompt_precision_recall"]
    edited.write_config(config)
    planned = edited.planned("results/exp1_table.csv")
    assert planned == {"measure_quality": 6, "measure_real": 1, "table": 1}
    result = edited.bash("snakemake --cores 2 results/exp1_table.csv")
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    for metric in ("cmmd_u_lit", "cmmd_v_lit", "joint_precision_lit", "joint_recall_lit"):
        for statistic in ("value", "low", "delta_high", "real"):
            assert math.isfinite(value(edited, "exp1", "FD-3", metric, statistic)), (metric, statistic)
    for metric in ("prompt_precision_effnet", "prompt_recall_effnet"):
        assert 0 <= value(edited, "exp1", "FD-3", metric) <= 1
    assert value(edited, "exp1", "FD-3", "cmmd_v_lit") > value(edited, "exp1", "FD-3", "cmmd_v_lit", "real")


@pytest.mark.slow
def test_two_backbones_two_data_sets_and_a_cached_solver_are_one_table(edited):
    shutil.copytree(edited.folder / "models" / "pocket", edited.folder / "models" / "second")
    config = edited.read_config()
    config["backbones"]["second"] = {"like": "pocket", "source": "models/second", "train": "twemoji"}
    config["datasets"]["noto"] = {"prompts": 8}
    exp1 = config["experiments"]["exp1"]
    exp1 |= {"backbones": ["pocket", "second"], "datasets": ["twemoji", "noto"]}
    exp1["rows"] = ["uncached", {"stride": 2}, {"scheduler": "dpm++", "steps": 4, "stride": 2}, {"stride": 3, "lam": 0.1}]
    edited.write_config(config)
    result = edited.bash("snakemake --cores 2 results/exp1_table.csv")
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    table = pd.read_csv(edited.folder / "results" / "exp1_table.csv")
    assert len(table) == 2 * 2 * 4 and table["variation"].is_unique
    assert set(table["backbone"]) == {"pocket", "second"} and set(table["dataset"]) == {"twemoji", "noto"}
    # The second folder has the weights of the first: the same numbers.
    first, second = (table[table["backbone"] == name].reset_index(drop=True) for name in ("pocket", "second"))
    numbers = [column for column in table.select_dtypes("number") if "latency" not in column and "speedup" not in column]
    pd.testing.assert_frame_equal(first[numbers], second[numbers])
    assert "DPM++4-FD-2" in table["variation"][2]

    # Another setting computes what is new and nothing else.
    config["scenarios"]["hires"] = {"size": 128}
    exp1["scenarios"] = ["clean", "hires"]
    edited.write_config(config)
    planned = edited.planned("results/exp1_table.csv")
    cells = 2 * 2 * 4
    twins = 2 * 2 * 2  # of DPM++ and of the fine-tune
    assert planned == {
        "sample": cells + twins, "sample_features": cells + twins, "measure_quality": cells, "measure_pairs": cells, "table": 1
    }  # fmt: skip
