import base64
import io
import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fcr_core.data import load
from fcr_core.data.prepared import prepare
from fcr_core.data.registry import CaptionedImage
from fcr_core.experiment.experiment import Experiment
from fcr_core.experiment.paths import Paths
from fcr_core.experiment.row import Row
from fcr_core.jobs.files import write_json
from fcr_core.jobs.job import run_record
from fcr_core.report.evidence import Evidence
from fcr_core.report.page import render
from fcr_core.report.samples import LARGEST, ImagePool, png_of, real_strips
from fcr_core.tables.long_table import write_rows
from fcr_core.tables.measured import Measured
from fcr_core.tables.measurement_table import measurement_table, wide
from fcr_core.tables.mechanism import fit_table, mechanism_table
from fcr_core.tables.results import Results
from fcr_core.tables.verdicts import criteria_table

from ..experiments import experiment_of, timings

EMOJI = load("twemoji")[:2]
PROMPTS = {"p0": "a cat", "p1": "a dog"}
EXPERIMENT = experiment_of(["uncached", {"stride": 5}], criteria="recipe", cost={"batches": [1], "repeats": 2})
PER_PROMPT = [f"{metric}_{twin}" for metric in ("latent_mse", "st_lpips_alex") for twin in ("own", "base")]
VARIANCES = [f"{measure}_d{delta}" for measure in ("feature_variance", "feature_variance_relative") for delta in (1, 10)]
SETS, SIZES = ["frechet"], {"pocket": 64}


def written(path, side):
    Image.fromarray(np.random.default_rng(side).integers(0, 256, (side, side, 3), np.uint8)).save(path)
    return path


def sampled(folder: Path) -> None:
    """Write a folder of samples whose images are the two Twemoji."""
    (folder / "images").mkdir(parents=True)
    for prompt_id, record in zip(PROMPTS, EMOJI, strict=True):
        record.image().save(folder / "images" / f"{prompt_id}.png")
    pd.DataFrame({"prompt_id": PROMPTS.keys(), "prompt": PROMPTS.values()}).to_parquet(folder / "manifest.parquet")
    write_json(folder / "run.json", run_record({}, time.time()))


def write_row(row: Row, experiment: Experiment, paths: Paths) -> None:
    """A sampled row: two Twemoji as its images, random numbers as its measurements."""
    rng = np.random.default_rng(len(row.name))
    sampled(Path(paths.samples(row.cell, 0)))

    def single(metrics: list[str]) -> list[dict]:
        return [{"metric": m, "seed": 0, "prompt_id": p, "value": rng.uniform(1, 2)} for m in metrics for p in PROMPTS]

    groups = [{"metric": "frechet_effnet", "seed": 0, "group": g, "value": rng.uniform(1, 2)} for g in (-1, 0, 1)]
    kinds = {"sets": groups, "image_text": single(["lit_score"]), "pairs": single(PER_PROMPT), "variance": single(VARIANCES)}
    measured = [lines for kind, lines in kinds.items() if kind in experiment.measures]
    for file, lines in zip(paths.measurements(row, experiment.measures, SETS), measured, strict=True):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        write_rows(Path(file), lines)


def evidence_of(experiment: Experiment, folder: Path) -> Evidence:
    """Everything of an experiment; what its data sets are, each test says."""
    paths = Paths(str(folder))
    for row in experiment.rows:
        write_row(row, experiment, paths)
    clock = timings({row.cell.sampler.name: 1.0 for row in experiment.rows}, repeats=2)
    real = pd.DataFrame({"metric": ["frechet_effnet"], "value": [0.5]})
    tables = dict.fromkeys(paths.costs(experiment), clock) | dict.fromkeys(paths.reals(experiment, SIZES), real)
    for file, table in tables.items():
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        table.to_parquet(file)
    measured = Measured.read(experiment, paths, SETS, SIZES)
    rows = wide(measurement_table(measured), experiment)
    return Evidence(Results(experiment, rows, criteria_table(measured)), measured, paths, SETS, SIZES)


@pytest.fixture
def evidence(tmp_path) -> Evidence:
    return evidence_of(EXPERIMENT, tmp_path)


@pytest.fixture
def data(evidence) -> Path:
    return Path(evidence.paths.data("twemoji", 64)).parent


def test_the_page_shows_real_images_where_they_lie_at_the_size_of_the_set(evidence, data, tmp_path):
    files = [written(tmp_path / f"{prompt_id}.jpg", 80 + index) for index, prompt_id in enumerate(PROMPTS)]
    records = [CaptionedImage(i, prompt, i, path=file) for (i, prompt), file in zip(PROMPTS.items(), files, strict=True)]
    prepare(records, data, "photographs", size=32)
    page, pool = render(evidence), ImagePool()
    assert re.findall(r'alt="real: (.*?)"', page) == list(PROMPTS.values()) and all(str(file) in page for file in files)
    real_strips(data, pool, PROMPTS)
    assert [Image.open(io.BytesIO(decoded(uri))).size for uri in pool.uris] == [(32, 32), (32, 32)]
    assert all(uri in page for uri in pool.uris)


@pytest.mark.slow
def test_the_page_of_a_set_without_images_shows_the_rows_alone(evidence, data):
    prepare([CaptionedImage(i, PROMPTS[i], i) for i in PROMPTS], data, "prompts")
    page = render(evidence)
    assert "real: " not in page and re.findall(r'alt="FD-5: (.*?)"', page)[:2] == list(PROMPTS.values())


@pytest.mark.slow
def test_each_place_has_samples_and_figures_of_its_own(tmp_path):
    both = experiment_of(["uncached", {"stride": 5}], datasets=["twemoji", "noto"], cost={"batches": [1], "repeats": 2})
    evidence = evidence_of(both, tmp_path)
    for dataset in ("twemoji", "noto"):
        prepare([CaptionedImage(i, PROMPTS[i], i) for i in PROMPTS], Path(evidence.paths.data(dataset, 64)).parent, dataset)
    page = render(evidence)
    for place in ("pocket on twemoji, clean", "pocket on noto, clean"):
        assert f"<h3>{place}</h3>" in page and f"<option>{place}</option>" in page
    assert "FD-5 on noto" in page and "data sets</dt><dd>twemoji, noto" in page


def test_a_page_of_distances_alone_has_only_their_sections(tmp_path):
    pairs = experiment_of(["uncached", {"stride": 5}], goal=None, measures=["pairs"])
    evidence = evidence_of(pairs, tmp_path)
    prepare([CaptionedImage(i, PROMPTS[i], i) for i in PROMPTS], Path(evidence.paths.data("twemoji", 64)).parent, "twemoji")
    page = render(evidence)
    sections = re.findall(r'<section id="(\w+)"', page)
    assert sections == ["verdicts", "samples", "extremes", "tables", "provenance"] and "Measured against" not in page


def test_a_page_with_a_mechanism_shows_recipes_beside_the_control(tmp_path):
    recipes = {"recipe": ["base", "control", "relative", "cosine"], "stride": [5, 10]}
    asked = {"control": "control", "mechanism": {"sampler": "FD-10", "delta": 10}, "measures": ["pairs", "variance"]}
    experiment, paths = experiment_of([recipes], goal=None, **asked), Paths(str(tmp_path))
    for i, model in enumerate(experiment.models):
        lines = [{"seed": 0, "prompt_id": p, "block": "mid", "delta": 10} for p in PROMPTS]
        file = Path(paths.block_variance(model, "twemoji"))
        file.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(lines).assign(mse=[1.0 + i, 2.0], relative=[0.5 + i * i, 0.5], norm=2.0).to_parquet(file)
        if model.recipe:
            Path(paths.fine_tune(model, 0)).mkdir(parents=True)
            write_json(Path(paths.fine_tune(model, 0)) / "run.json", run_record({}, time.time()))
    for cell in experiment.twins:
        sampled(Path(paths.samples(cell, 0)))
    evidence = evidence_of(experiment, tmp_path)
    prepare([CaptionedImage(i, PROMPTS[i], i) for i in PROMPTS], Path(paths.data("twemoji", 64)).parent, "twemoji")
    mechanism = mechanism_table(experiment, paths)
    results = replace(evidence.results, mechanism=mechanism, fits=fit_table(experiment, mechanism, evidence.rows))
    page = render(replace(evidence, results=results))
    for said in (
        "Recipes beside the control",
        "<option>FD-5</option>",
        "paired difference from control-FD-",
        "R² = ",
        "4 models sampled",
    ):
        assert said in page, said
    assert page.count("<figure") == 3 and "<caption" not in page  # σ²_Δ, the grid and the fit; no verdicts


def decoded(uri: str) -> bytes:
    return base64.b64decode(uri.removeprefix("data:image/png;base64,"))


def test_an_image_is_stored_once_and_byte_for_byte(tmp_path):
    pool, file = ImagePool(), written(tmp_path / "a.png", 64)
    other = written(tmp_path / "b.png", 65)
    copy = tmp_path / "copy.png"
    copy.write_bytes(file.read_bytes())
    assert [pool.add(png_of(path)) for path in (file, other, copy)] == [0, 1, 0]
    assert decoded(pool.uris[0]) == file.read_bytes() and len(pool.uris) == 2


def test_a_large_image_is_stored_as_small_as_it_is_shown(tmp_path):
    pool, file = ImagePool(), written(tmp_path / "large.png", 512)
    pool.add(png_of(file))
    assert Image.open(io.BytesIO(decoded(pool.uris[0]))).size == (LARGEST, LARGEST)
