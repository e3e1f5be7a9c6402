import hashlib

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from fcr_core.sampling import samples as sampling
from fcr_core.sampling.samples import initial_noise, noise_seed, sample_to_folder

from ..samplers import sampler
from ..workspace import contents

PROMPTS = pd.DataFrame({"prompt_id": [f"p{i}" for i in range(5)], "prompt": ["red apple", "cat face", "flag", "sun", "person"]})
SAMPLER = sampler("ddim", 4, stride=2)


def test_noise_depends_on_prompt_and_seed_alone():
    together = initial_noise(["a", "b", "c"], 1, (4, 8, 8))
    assert torch.equal(together[1], initial_noise(["b"], 1, (4, 8, 8))[0])
    assert not torch.equal(together[0], together[1])
    assert not torch.equal(together[0], initial_noise(["a"], 2, (4, 8, 8))[0])
    assert noise_seed("a", 1) == 4294491576641134471


@pytest.fixture(scope="module")
def folders(pocket_pipe, tmp_path_factory):
    """The same five images drawn in batches of 1, 3 and 16."""
    made = {}
    for batch in (1, 3, 16):
        made[batch] = tmp_path_factory.mktemp(f"batch{batch}") / "out"
        sample_to_folder(pocket_pipe, PROMPTS, SAMPLER, 0, batch, made[batch].with_name("partial"), made[batch])
    return made


def test_the_batch_size_does_not_change_an_image(folders):
    for prompt_id in PROMPTS["prompt_id"]:
        images = [np.asarray(Image.open(folder / "images" / f"{prompt_id}.png")) for folder in folders.values()]
        assert all(np.array_equal(images[0], other) for other in images[1:])


def test_the_manifest_is_row_aligned_and_tells_the_truth(folders):
    manifest = pd.read_parquet(folders[3] / "manifest.parquet")
    assert manifest["prompt_id"].tolist() == PROMPTS["prompt_id"].tolist()
    assert np.load(folders[3] / "latents.npy").shape == (5, 4, 16, 16)
    for row in manifest.itertuples():
        assert hashlib.sha256((folders[3] / "images" / f"{row.prompt_id}.png").read_bytes()).hexdigest() == row.sha256
        assert row.noise_seed == noise_seed(row.prompt_id, 0)


def test_a_killed_run_goes_on_and_ends_byte_identical(pocket_pipe, folders, tmp_path, monkeypatch):
    calls = []
    original = sampling.sample_latents

    def killed_in_the_second_batch(*args):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*args)

    monkeypatch.setattr(sampling, "sample_latents", killed_in_the_second_batch)
    arguments = (pocket_pipe, PROMPTS, SAMPLER, 0, 3, tmp_path / "partial", tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        sample_to_folder(*arguments)
    sample_to_folder(*arguments)
    assert len(calls) == 3  # the first batch was not drawn again
    assert len(contents(folders[3])) == 5 + 2 and contents(tmp_path / "out") == contents(folders[3])


def test_chosen_key_steps_are_those_of_a_stride_where_they_coincide(pocket_pipe):
    noise = initial_noise(["a", "b"], 0, (4, 16, 16))
    samplers = [
        sampler("ddim", 6, stride=3),
        sampler("ddim", 6, keys=[0, 3]),
        sampler("ddim", 6, keys=[0, 4]),
    ]
    strided, chosen, others = (sampling.sample_latents(pocket_pipe, ["sun", "flag"], noise, s) for s in samplers)
    assert torch.equal(strided, chosen) and not torch.equal(strided, others)
