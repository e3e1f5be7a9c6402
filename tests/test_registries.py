"""docs/metrics.md as it stands: one module and one entry add a metric, and an extractor, on real pictures."""

import ast
import json
import re
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import torch
from torchvision.models import squeezenet1_1

import fcr_core.features
import fcr_core.metrics
from fcr_core.data import load as load_data
from fcr_core.experiment.drawings import Drawing
from fcr_core.experiment.experiment import experiments_of
from fcr_core.experiment.schema import check
from fcr_core.features import feature_files
from fcr_core.features.extractor import extract, load, record_of
from fcr_core.features.feature_files import FeatureTable
from fcr_core.features.registry import EXTRACTORS, IMAGE_TEXT_SPACES, Network
from fcr_core.jobs.code_hash import closure
from fcr_core.metrics.registry import METRICS, SETS, in_image_text_space, register
from fcr_core.planning import job_costs
from fcr_core.planning import set_metric_costs as set_costs
from fcr_core.tables.column_meanings import meaning
from fcr_core.tables.markdown import shown_columns
from fcr_core.tables.metric_columns import heading, key_of, label
from fcr_core.tables.metric_roles import FRECHET, IMAGE_TEXT, KID
from workflow_scripts import measure_quality

from .experiment.test_schema import DEFAULT, ROOT, merged, message

CHOICE = {"metrics": {"extractor": "squeezenet", "sets": ["kid", "frechet_pca", "mean_gap"], "weights": {"squeezenet": "x.pth"}}}
COLUMN = "mean_gap_squeezenet"


def code_under(title: str) -> list[str]:
    """The Python of one section of the page."""
    section = (ROOT / "docs" / "metrics.md").read_text().split(f"## {title}\n")[1].split("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


@pytest.fixture
def added(tmp_path, monkeypatch):
    """A metric and an extractor, each by its file and its entry alone; the folder of the extractor's weights."""
    [metric], [extractor, entry] = code_under("Add a metric"), code_under("Add an extractor")
    for package, name, text in ((fcr_core.metrics, "mean_gap", metric), (fcr_core.features, "squeezenet", extractor)):
        folder = tmp_path / package.__name__
        folder.mkdir()
        (folder / f"{name}.py").write_text(text)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
        monkeypatch.delitem(sys.modules, f"{package.__name__}.{name}", raising=False)
    torch.manual_seed(0)
    torch.save(squeezenet1_1().state_dict(), tmp_path / "squeezenet.pth")
    network = eval(entry, {"Network": Network})
    with patch.dict(METRICS), patch.dict(SETS), patch.dict(EXTRACTORS, {network.name: network}):
        register(import_module("fcr_core.metrics.mean_gap"))
        yield tmp_path


def test_the_configuration_accepts_them_and_refuses_them_without_their_entries(added):
    check(merged(DEFAULT, CHOICE))
    with patch.dict(EXTRACTORS):
        del EXTRACTORS["squeezenet"]
        assert "config key metrics.extractor = 'squeezenet': must be one of ['dinov2', " in message(CHOICE)
    with patch.dict(SETS):
        del SETS["mean_gap"]
        assert "config key metrics.sets[2] = 'mean_gap': must be one of ['kid', " in message(CHOICE)


def test_an_extractor_without_classes_is_refused_for_a_metric_of_logits(added):
    text = message(merged(CHOICE, {"metrics": {"sets": ["class_score"]}}))
    assert "metrics.extractor = 'squeezenet' does not give: effnet and inception do" in text


def test_the_column_is_named_formatted_and_explained(added):
    assert key_of(COLUMN) == "mean_gap" and key_of("mean_gap_vgg") is None
    assert label(COLUMN) == "mean gap (SqueezeNet 1.1)" and heading(COLUMN) == ("mean gap (SqueezeNet 1.1) ↓", 2)
    assert meaning(COLUMN) == "mean gap (SqueezeNet 1.1): lower is better; feature units; ‖μ_x − μ_r‖"
    table = pd.DataFrame(columns=["variation", COLUMN, f"{COLUMN}_low", "psnr_own", "kid_effnet"])
    assert shown_columns(table) == ["kid_effnet", COLUMN]


def test_a_role_is_taken_by_the_formulas_that_say_so(added):
    columns = ["latent_mse_own", COLUMN]
    with pytest.raises(ValueError, match=r"no Fréchet distance was measured: .* one of frechet, frechet_pca64$"):
        FRECHET.column(columns)
    with patch.dict(METRICS, mean_gap=replace(METRICS["mean_gap"], role="Fréchet distance")):
        assert FRECHET.column(columns) == COLUMN


def test_every_role_has_a_formula():
    assert (FRECHET.keys, KID.keys) == (["frechet", "frechet_pca64"], ["kid"])
    assert IMAGE_TEXT.keys == ["lit_score", "clip_score"]


def test_they_cost_what_they_say(added):
    images, real, width = 100, 491, 512
    assert set_costs.of_set("mean_gap", images, real, width, 21) == set_costs.FLOAT64 * 21 * width * (images + real)
    config = merged(DEFAULT, CHOICE)
    cell = experiments_of(config)["exp1"].rows[0].cell
    run = SimpleNamespace(config=config, drawings={cell.path: Drawing(cell, images, (0,))}, images_in=lambda *_: real)
    jobs = {"extractor": "squeezenet", "cell": cell.path}
    features = job_costs.sample_features(run, jobs)
    assert features.flops == {"fp32": images * 0.7e9} and features.written == {"features": 4 * images * width}
    alone = set_costs.of_set("mean_gap", images, real, width, 21)
    run.config["metrics"]["sets"] = ["mean_gap"]
    assert job_costs.measure_quality(run, jobs).flops["fp32"] == alone


def test_a_metric_of_sets_without_its_cost_is_an_error():
    silent = SimpleNamespace(__name__="fcr_core.metrics.silent", METRIC=METRICS["kid"], of_set=lambda x, y: 0.0)
    with patch.dict(METRICS), pytest.raises(ValueError, match=r"fcr_core\.metrics\.silent has no set_flops"):
        register(silent)


def test_real_pictures_are_measured_under_both_names(added):
    records = load_data("twemoji", "test")[:12]
    ids = [record.prompt_id for record in records]
    extractor = load("squeezenet", str(added / "squeezenet.pth"))
    rows = extract(extractor, [record.image() for record in records])
    assert rows["pool"].shape == (12, EXTRACTORS["squeezenet"].width)
    record = record_of(extractor, "fp32")
    feature_files.write(added / "real.npz", FeatureTable(ids, rows, record))
    feature_files.write(added / "drawn.npz", FeatureTable(ids, {"pool": rows["pool"][None, ::-1] + 1}, record, [0]))
    drawn, real = (feature_files.read(added / f"{name}.npz") for name in ("drawn", "real"))
    table = pd.DataFrame(measure_quality.of_metric(SETS["mean_gap"], drawn, real, None, [0]))
    assert set(table["metric"]) == {COLUMN}
    assert table.loc[table["group"] == -1, "value"].tolist() == pytest.approx([np.sqrt(512)], rel=1e-5)


def test_every_extractor_has_a_module_and_every_space_an_extractor():
    for network in EXTRACTORS.values():
        tree = ast.parse((ROOT / "fcr_core" / "features" / f"{network.name}.py").read_text())
        assert "load" in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert {space.extractor for space in IMAGE_TEXT_SPACES.values()} <= EXTRACTORS.keys()


def test_metrics_that_ask_for_captions_are_measured_in_the_image_text_space():
    assert [name for name in SETS if in_image_text_space(name)] == ["cmmd", "joint_precision_recall"]


def test_a_new_entry_reruns_no_extraction_and_no_other_metric():
    scripts = ("extract_features", "extract_real_features", "extract_text_features", "measure_quality")
    read = {file.relative_to(ROOT).as_posix() for file in closure([ROOT / f"workflow_scripts/{s}.py" for s in scripts], ROOT)}
    assert not read & {"fcr_core/features/registry.py", "fcr_core/metrics/registry.py"}


def test_the_registries_take_little_time_to_read():
    code = "import sys, json, fcr_core.experiment.rules; print(json.dumps(list(sys.modules)))"
    read = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not {"torch", "pandas", "skimage", "scipy.stats", "scipy.special"} & set(json.loads(read))
