from types import SimpleNamespace

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    PNDMScheduler,
)

from fcr_core import EncoderCache, KeySteps
from fcr_core.encoder import encode, replay
from fcr_core.pocket import SCHEDULER_CONFIG

from .conftest import tiny_unet

SCHEDULERS = {
    "ddim": lambda: DDIMScheduler(**SCHEDULER_CONFIG),
    "pndm": lambda: PNDMScheduler(beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1),
    "dpm++": lambda: DPMSolverMultistepScheduler(beta_schedule="scaled_linear"),
    "euler": lambda: EulerDiscreteScheduler(beta_schedule="scaled_linear"),
}


def make_pipe(scheduler: str = "ddim", seed: int = 0) -> SimpleNamespace:
    return SimpleNamespace(unet=tiny_unet(seed).eval(), scheduler=SCHEDULERS[scheduler]())


@torch.no_grad()
def run(pipe, steps: int = 12, seed: int = 0) -> torch.Tensor:
    """A sampling loop as in diffusers' pipelines, with guidance."""
    generator = torch.Generator().manual_seed(seed)
    x, text = torch.randn(2, 4, 8, 8, generator=generator), torch.randn(4, 3, 8, generator=generator)
    pipe.scheduler.set_timesteps(steps)
    x = x * pipe.scheduler.init_noise_sigma
    for t in pipe.scheduler.timesteps:
        scaled = pipe.scheduler.scale_model_input(torch.cat([x, x]), t)
        unconditional, conditional = pipe.unet(scaled, t, encoder_hidden_states=text, return_dict=False)[0].chunk(2)
        x = pipe.scheduler.step(unconditional + 3 * (conditional - unconditional), t, x, return_dict=False)[0]
    return x


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("parallel", [True, False])
def test_stride_1_is_bit_identical_to_the_plain_loop(scheduler, parallel):
    pipe = make_pipe(scheduler)
    expected = run(pipe)
    with EncoderCache(pipe, stride=1, parallel=parallel):
        assert torch.equal(run(pipe), expected)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("stride", [3, 5, 12])
def test_parallel_equals_sequential(scheduler, stride):
    results = []
    for options in ({"parallel": False}, {"parallel": True}, {"parallel": True, "max_parallel": 2}):
        with EncoderCache(make_pipe(scheduler), stride=stride, **options) as cache:
            results.append(run(SimpleNamespace(unet=cache.unet, scheduler=cache.scheduler)))
    for result in results[1:]:
        assert (result - results[0]).norm() / results[0].norm() < 1e-5


@torch.no_grad()
def test_cached_sampling_equals_faster_diffusion_written_out():
    """Encoder at steps 0, 5, 10; its features decode every step of their group."""
    pipe = make_pipe()
    generator = torch.Generator().manual_seed(0)
    x, text = torch.randn(2, 4, 8, 8, generator=generator), torch.randn(4, 3, 8, generator=generator)
    pipe.scheduler.set_timesteps(12)
    for i, t in enumerate(pipe.scheduler.timesteps):
        if i % 5 == 0:
            features = encode(pipe.unet, torch.cat([x, x]), t, text)
        with replay(pipe.unet, features):
            unconditional, conditional = pipe.unet(torch.cat([x, x]), t, text).sample.chunk(2)
        x = pipe.scheduler.step(unconditional + 3 * (conditional - unconditional), t, x).prev_sample
    with EncoderCache(pipe, stride=5):
        torch.testing.assert_close(run(pipe), x, rtol=1e-5, atol=1e-5)


def test_statistics_count_passes_and_bytes():
    pipe = make_pipe()
    with EncoderCache(pipe, stride=5) as cache:
        run(pipe)
    assert (cache.stats.encoder_passes, cache.stats.decoder_passes) == (3, 12)
    # conv_in and down.0's resnet 8x8x8, its downsampler 8x4x4, down.1 and mid 16x4x4; float32, batch 2 with guidance.
    assert cache.stats.cached_bytes == 4 * 4 * (2 * 8 * 64 + 8 * 16 + 2 * 16 * 16)


def test_leaving_restores_the_unet_also_after_an_exception():
    pipe = make_pipe()
    expected = run(pipe)
    with pytest.raises(KeyboardInterrupt), EncoderCache(pipe, stride=4):
        run(pipe)
        raise KeyboardInterrupt
    assert "forward" not in vars(pipe.unet) and "set_timesteps" not in vars(pipe.scheduler)
    assert torch.equal(run(pipe), expected)


def test_nothing_leaks_from_one_call_to_the_next():
    pipe = make_pipe()
    with EncoderCache(pipe, stride=4):
        run(pipe, steps=7, seed=1)
        second = run(pipe, seed=2)
    with EncoderCache(pipe, stride=4):
        assert torch.equal(run(pipe, seed=2), second)


def test_two_pipelines_can_be_cached_at_once():
    one, two = make_pipe(seed=1), make_pipe(seed=2)
    with EncoderCache(one, stride=4):
        alone = run(one)
    with EncoderCache(one, stride=4), EncoderCache(two, stride=3):
        run(two)
        assert torch.equal(run(one), alone)


def test_explicit_key_steps():
    pipe = make_pipe()
    with EncoderCache(pipe, KeySteps.explicit([0, 1, 2, 6])) as cache:
        run(pipe)
    assert cache.stats.encoder_passes == 4


def test_the_real_pipeline_runs_under_it(pocket_pipe):
    options = {"num_inference_steps": 6, "output_type": "latent", "guidance_scale": 3.0}
    latents = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    prompts = ["red apple", "grinning face"]
    plain = pocket_pipe(prompts, latents=latents, **options).images
    with EncoderCache(pocket_pipe, stride=1):
        assert torch.equal(pocket_pipe(prompts, latents=latents, **options).images, plain)
    with EncoderCache(pocket_pipe, stride=3):
        cached = pocket_pipe(prompts, latents=latents, **options).images
    with EncoderCache(pocket_pipe, stride=3, parallel=False):
        sequential = pocket_pipe(prompts, latents=latents, **options).images
    torch.testing.assert_close(cached, sequential, rtol=1e-4, atol=1e-4)
    assert not torch.equal(cached, plain)


def test_unsupported_input_is_refused_in_words():
    with pytest.raises(ValueError, match="calls the UNet 2 times a step: use"):
        EncoderCache(SimpleNamespace(unet=tiny_unet(), scheduler=HeunDiscreteScheduler()), stride=2)
    with pytest.raises(ValueError, match=r"no \.unet"):
        EncoderCache(SimpleNamespace(scheduler=None), stride=2)
    with pytest.raises(ValueError, match="no encoder and decoder blocks"):
        EncoderCache(SimpleNamespace(unet=torch.nn.Linear(1, 1), scheduler=None), stride=2)
    with pytest.raises(ValueError, match="either key steps or a stride"):
        EncoderCache(make_pipe())
    pipe = make_pipe()
    with pytest.raises(ValueError, match="do not fit into 12"), EncoderCache(pipe, stride=13):
        run(pipe)
