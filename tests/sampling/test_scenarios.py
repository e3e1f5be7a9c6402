"""Scenarios change a pipeline before it draws."""

import pytest

from fcr_core.backbones.loading import load_pipeline
from fcr_core.sampling.samples import decode_latents, initial_noise, latent_shape, launch
from fcr_core.sampling.scenarios import under

from ..conftest import ROOT
from ..samplers import sampler


def test_images_are_drawn_at_the_scenarios_size():
    pipe = under(load_pipeline(ROOT / "models" / "pocket"), {"size": 128})
    assert latent_shape(pipe) == (4, 32, 32)
    latents, images = launch(pipe, ["red apple"], initial_noise(["a"], 0, latent_shape(pipe)), sampler("ddim", 2, stride=2))
    assert latents.shape == (1, 4, 32, 32) and images[0].size == (128, 128)
    assert decode_latents(pipe, latents)[0].size == (128, 128)


def test_a_clean_scenario_changes_nothing(pocket_pipe):
    assert under(pocket_pipe, {}) is pocket_pipe and latent_shape(pocket_pipe) == (4, 16, 16)


@pytest.mark.parametrize("size", [66, 68])
def test_a_size_that_the_vae_or_the_pipeline_cannot_draw_is_refused(pocket_pipe, size):
    """The VAE's scale is 4, but diffusers takes only multiples of 8."""
    with pytest.raises(ValueError, match=f"scenario size = {size}: must be a multiple of 8"):
        under(pocket_pipe, {"size": size})
