"""Distances to uncached images: killed, the job measures no pair twice and ends the same."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fcr_core.features import stlpips_alex
from fcr_core.metrics import latent_mse
from fcr_core.sampling.samples import sample_to_folder
from workflow_scripts import measure_pairs

from ..samplers import sampler


@pytest.fixture
def arguments(pocket_pipe, tmp_path) -> SimpleNamespace:
    """Five prompts cached, and uncached: all of them by the base model, the first three by the same weights."""
    prompts = pd.DataFrame({"prompt_id": list("abcde"), "prompt": ["a cat", "a dog", "a tree", "a car", "a boat"]})
    folders = {name: tmp_path / name for name in ("cached", "own", "base")}
    for (name, folder), count in zip(folders.items(), (5, 3, 5), strict=True):
        drawn = sampler("ddim", 3, **({"stride": 3} if name == "cached" else {}))
        sample_to_folder(pocket_pipe, prompts.head(count), drawn, 0, 5, tmp_path / f"{name}.partial", folder)
    lists = {"samples": [folders["cached"]], "own": [folders["own"]], "base": [folders["base"]]}
    return SimpleNamespace(**lists, seeds=[0], device="cpu", code="", out=tmp_path / "pairs.parquet")


def test_what_a_killed_job_has_measured_is_not_measured_again(arguments, monkeypatch):
    measure_pairs.work(arguments)
    whole = pd.read_parquet(arguments.out)
    assert whole.groupby("metric").size().to_dict() == {
        f"{name}_{kind}": count for name in measure_pairs.METRICS for kind, count in (("own", 3), ("base", 5))
    }
    values = whole[whole["metric"] == f"{latent_mse.METRIC.name()}_base"]["value"]
    latents = [np.load(folder / "latents.npy") for folder in (*arguments.samples, *arguments.base)]
    assert values.tolist() == pytest.approx(((latents[0] - latents[1]) ** 2).mean((1, 2, 3)).tolist())

    arguments.out.unlink()
    monkeypatch.setattr(measure_pairs, "BATCH", 2)
    measured: list[int] = []
    original = stlpips_alex.distance

    def counted(images, twins, device, most):
        if len(measured) == most:
            raise KeyboardInterrupt
        measured.append(len(images))
        return original(images, twins, device=device)

    monkeypatch.setattr(stlpips_alex, "distance", partial(counted, most=2))
    with pytest.raises(KeyboardInterrupt):
        measure_pairs.work(arguments)
    measured.clear()
    monkeypatch.setattr(stlpips_alex, "distance", partial(counted, most=9))
    measure_pairs.work(arguments)
    # Of 2 + 1 pairs to the own images and 2 + 2 + 1 to the base model's the first two parts were there.
    assert measured == [2, 2, 1]
    again = pd.read_parquet(arguments.out)
    pd.testing.assert_frame_equal(again, whole, rtol=1e-5)
    assert not list(arguments.out.parent.glob(".pairs.parquet.partial"))
