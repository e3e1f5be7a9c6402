import base64
import io
import re
import time
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from fcr_core.experiment.rows import Variation
from fcr_core.report.results import Results
from fcr_core.tables.exp1 import exp1_table, read_rows
from PIL import Image

from fcr_core.data import load
from fcr_core.data.prepared import prepare
from fcr_core.data.registry import CaptionedImage
from fcr_core.jobs.files import write_json
from fcr_core.jobs.job import run_record
from fcr_core.report.page import render
from fcr_core.report.samples import LARGEST, ImagePool, png_of, real_strips
from fcr_core.statistics.intervals import Interval
from fcr_core.tables.criteria import EXP1, Compared
from fcr_core.tables.long_table import write_rows

EMOJI = load("twemoji")[:2]
PROMPTS = {"p0": "a cat", "p1": "a dog"}
UNCACHED, GOAL = (Variation(name, None, name, "ddim", 50, stride) for name, stride in (("uncached-50", 1), ("FD-5", 5)))
PER_PROMPT = ["lit_score", *(f"{metric}_{twin}" for metric in ("latent_mse", "st_lpips_alex") for twin in ("own", "base"))]
PER_PROMPT += [f"{measure}_d{delta}" for measure in ("feature_variance", "feature_variance_relative") for delta in (1, 10)]


def written(path, side):
    Image.fromarray(np.random.default_rng(side).integers(0, 256, (side, side, 3), np.uint8)).save(path)
    return path


def row_of(folder, variation: Variation) -> dict:
    """A sampled row of the page: two Twemoji as its images, random numbers as its measurements."""
    samples, rng = folder / variation.name / "seed0", np.random.default_rng(variation.stride)
    (samples / "images").mkdir(parents=True)
    for prompt_id, record in zip(PROMPTS, EMOJI, strict=True):
        record.image().save(samples / "images" / f"{prompt_id}.png")
    pd.DataFrame({"prompt_id": PROMPTS.keys(), "prompt": PROMPTS.values()}).to_parquet(samples / "manifest.parquet")
    write_json(samples / "run.json", run_record({}, time.time()))
    rows = [{"metric": m, "seed": 0, "prompt_id": p, "value": rng.uniform(1, 2)} for m in PER_PROMPT for p in PROMPTS]
    rows += [{"metric": "frechet_effnet", "seed": 0, "group": g, "value": rng.uniform(1, 2)} for g in (-1, 0, 1)]
    write_rows(samples / "measured.parquet", [{"prompt_id": "", "group": -1} | row for row in rows])
    manifest = [str(samples / "manifest.parquet")]
    return {"variation": asdict(variation), "files": [str(samples / "measured.parquet")], "samples": manifest, "weights": []}


@pytest.fixture
def results(tmp_path) -> Results:
    """Of two rows; what its data set is, each test says."""
    rows = [row_of(tmp_path, variation) for variation in (UNCACHED, GOAL)]
    rows = [row | {"twins": rows[0]["samples"]} for row in rows]
    costs = {"encoder_passes": 1, "decoder_passes": 1, "unet_flops": 1.0, "seconds": 1.0, "seconds_per_image": 1.0}
    clock = pd.DataFrame([{"sampler": row.name, "batch": 1, "repeat": r} | costs for row in (UNCACHED, GOAL) for r in (0, 1)])
    clock["peak_tensor_bytes"] = 1e6
    real = pd.DataFrame({"metric": ["frechet_effnet"], "value": [0.5]})
    variations, measured = read_rows(rows)
    table = exp1_table(variations.values(), measured, clock, real, GOAL, UNCACHED.name)
    verdict = pd.DataFrame([{"variation": GOAL.name} | Compared(EXP1["memory"], Interval(0, 0, 0, 0, 0)).row()])
    return Results(
        "Two rows", GOAL.name, UNCACHED.name, rows, dict.fromkeys(variations, "base"), table, {"verdicts": verdict}, clock,
        real, tmp_path / "set", {"table": "t", "efficiency": "e", "real": "r", "verdicts": "v"}, "make",
    )  # fmt: skip


def test_the_page_shows_real_images_where_they_lie_at_the_size_of_the_set(results, tmp_path):
    files = [written(tmp_path / f"{prompt_id}.jpg", 80 + index) for index, prompt_id in enumerate(PROMPTS)]
    records = [CaptionedImage(i, prompt, i, path=file) for (i, prompt), file in zip(PROMPTS.items(), files, strict=True)]
    prepare(records, results.data, "photographs", size=32)
    page, pool = render(results), ImagePool()
    assert re.findall(r'alt="real: (.*?)"', page) == list(PROMPTS.values()) and all(str(file) in page for file in files)
    real_strips(results, pool, PROMPTS)
    assert [Image.open(io.BytesIO(decoded(uri))).size for uri in pool.uris] == [(32, 32), (32, 32)]
    assert all(uri in page for uri in pool.uris)


def test_the_page_of_a_set_without_images_shows_the_rows_alone(results):
    prepare([CaptionedImage(i, PROMPTS[i], i) for i in PROMPTS], results.data, "prompts")
    page = render(results)
    assert "real: " not in page and re.findall(r'alt="FD-5: (.*?)"', page)[:2] == list(PROMPTS.values())


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
