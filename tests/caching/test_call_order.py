"""Each call is held against the scheduler's timesteps: other schedulers, several calls a step, loops that end early."""

from types import SimpleNamespace

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EDMEulerScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPanoramaPipeline,
    StableDiffusionSAGPipeline,
    UniPCMultistepScheduler,
)

from fcr_core import EncoderCache, KeySteps

from ..held_features import HeldFeatures, every
from ..unets import image_unet, text
from .test_cached_pipelines import PROMPT, components, plain, sample, xl

SD = {"timestep_spacing": "leading", "steps_offset": 1, "beta_schedule": "scaled_linear"}


def loop(pipe, steps=8, timesteps=lambda t: t, calls=1, stop=None):
    """A loop as users write it, with `calls` of the UNet a step and the timestep as `timesteps` makes it."""
    pipe.scheduler.set_timesteps(steps)
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0)) * pipe.scheduler.init_noise_sigma
    with torch.no_grad():
        for i, t in enumerate(pipe.scheduler.timesteps):
            if i == stop:
                break
            scaled = pipe.scheduler.scale_model_input(x, t)
            predictions = [pipe.unet(scaled, timesteps(t), text(2)).sample for _ in range(calls)]
            x = pipe.scheduler.step(sum(predictions) / calls, t, x).prev_sample
    return x


def made(scheduler=None):
    torch.manual_seed(0)
    return SimpleNamespace(unet=image_unet().eval(), scheduler=scheduler or DDIMScheduler(clip_sample=False))


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return bool((a - b).norm() / b.norm() < 1e-5)


@pytest.mark.parametrize("calls", [2, 3])
def test_several_calls_a_step_are_refused_at_the_first_second_one(calls):
    pipe = made()
    seen = []
    pipe.unet.register_forward_pre_hook(lambda *_: seen.append(True))
    with EncoderCache(pipe, stride=4), pytest.raises(ValueError, match="calls the UNet several times a step"):
        loop(pipe, calls=calls)
    assert len(seen) == 2


@pytest.mark.parametrize("calls", [2, 3])
def test_several_calls_a_step_are_right_where_every_step_is_a_key_step(calls):
    pipe = made()
    expected = loop(pipe, calls=calls)
    for keys in (KeySteps.uniform(1), KeySteps.explicit(range(8))):
        with EncoderCache(pipe, keys):
            assert torch.equal(loop(pipe, calls=calls), expected)


@pytest.mark.parametrize("pipeline", [StableDiffusionPanoramaPipeline, StableDiffusionSAGPipeline])
def test_pipelines_that_call_the_unet_several_times_a_step_are_refused(pipeline):
    unet = image_unet()
    pipe = components(pipeline, unet, **({"image_encoder": None} if pipeline is StableDiffusionSAGPipeline else {}))
    call = PROMPT | ({"height": 16, "width": 576} if pipeline is StableDiffusionPanoramaPipeline else {"height": 64, "width": 64})
    expected = sample(pipe, call)
    with EncoderCache(pipe, stride=2), pytest.raises(ValueError, match="calls the UNet several times a step"):
        sample(pipe, call)
    with EncoderCache(pipe, stride=1):
        assert torch.equal(sample(pipe, call), expected)
    assert torch.equal(sample(pipe, call), expected)


@pytest.mark.parametrize(
    "change",
    [lambda t: t, lambda t: t.clone(), float, int, lambda t: t.expand(2), lambda t: t.repeat(2), lambda t: t.to(torch.float16)],
    ids=["element", "copy", "float", "int", "expanded", "repeated", "half"],
)
def test_a_timestep_is_recognised_however_it_is_passed(change):
    pipe = made()
    with HeldFeatures(pipe, every(4)):
        expected = loop(pipe, timesteps=change)
    with EncoderCache(pipe, stride=4):
        assert close(loop(pipe, timesteps=change), expected)
    with EncoderCache(pipe, stride=4), pytest.raises(ValueError, match="several times a step"):
        loop(pipe, timesteps=change, calls=2)


def test_steps_that_are_left_out_are_refused():
    pipe = made()
    pipe.scheduler.set_timesteps(8)
    times = pipe.scheduler.timesteps
    with torch.no_grad(), EncoderCache(pipe, stride=4), pytest.raises(ValueError, match="at step 3 where step 1 was next"):
        pipe.unet(torch.zeros(2, 4, 8, 8), times[0], text(2))
        pipe.unet(torch.zeros(2, 4, 8, 8), times[3], text(2))


def test_a_timestep_of_another_schedule_is_refused():
    pipe = made()
    pipe.scheduler.set_timesteps(8)
    with torch.no_grad(), EncoderCache(pipe, stride=4), pytest.raises(ValueError, match="501, which is none of the scheduler's"):
        pipe.unet(torch.zeros(2, 4, 8, 8), pipe.scheduler.timesteps[0], text(2))
        pipe.unet(torch.zeros(2, 4, 8, 8), torch.tensor(501), text(2))


def test_a_loop_that_begins_anew_is_a_new_run_also_after_one_that_was_broken_off():
    pipe = made()
    pipe.scheduler.set_timesteps(8)
    noise = torch.randn(2, 2, 4, 8, 8)

    def predictions(x, stop=8):
        return torch.stack([pipe.unet(x, t, text(2)).sample for t in pipe.scheduler.timesteps[:stop]])

    with torch.no_grad(), EncoderCache(pipe, stride=4):
        expected = predictions(noise[1])
    with torch.no_grad(), EncoderCache(pipe, stride=4):
        predictions(noise[0], stop=3)
        assert torch.equal(predictions(noise[1]), expected)


EXCHANGED = [DPMSolverMultistepScheduler, UniPCMultistepScheduler, EulerDiscreteScheduler]


@pytest.mark.parametrize("kind", EXCHANGED)
@pytest.mark.parametrize("config", [{}, SD], ids=["own spacing", "Stable Diffusion's"])
def test_the_scheduler_is_that_of_the_call(kind, config):
    call = plain()[1]
    pipe = components(type(plain()[0]), image_unet(), scheduler=kind(**config))
    with EncoderCache(pipe, stride=4, prior_noise=0.01):
        expected = sample(pipe, call)
    own = DDIMScheduler(clip_sample=False, **config)
    pipe.scheduler = own
    cache = EncoderCache(pipe, stride=4, prior_noise=0.01)
    pipe.scheduler = kind(**config)
    with cache:
        assert torch.equal(sample(pipe, call), expected)
    pipe.scheduler = own
    with EncoderCache(pipe, stride=4, prior_noise=0.01):
        sample(pipe, call | {"num_inference_steps": 16})
        pipe.scheduler = kind(**config)
        assert torch.equal(sample(pipe, call), expected)
    assert not vars(own).keys() & {"step", "set_timesteps"} and not vars(pipe.scheduler).keys() & {"step", "set_timesteps"}


def test_a_scheduler_of_two_calls_a_step_is_refused_also_inside_the_block():
    pipe, call = plain()
    with EncoderCache(pipe, stride=4):
        pipe.scheduler = HeunDiscreteScheduler()
        with pytest.raises(ValueError, match="calls the UNet 2 times a step: use"):
            sample(pipe, call)


def test_one_cache_serves_two_blocks_and_not_two_at_once():
    pipe, call = plain()
    cache = EncoderCache(pipe, stride=4)
    with cache:
        first = sample(pipe, call)
        with pytest.raises(ValueError, match="is on already"):
            cache.__enter__()
    with cache:
        assert torch.equal(sample(pipe, call), first)


def test_of_two_caches_on_one_pipeline_the_inner_one_counts():
    pipe, call = plain()
    plain_output = sample(pipe, call)
    with EncoderCache(pipe, stride=4):
        expected = sample(pipe, call)
        with EncoderCache(pipe, stride=1):
            assert torch.equal(sample(pipe, call), plain_output)
        assert torch.equal(sample(pipe, call), expected)
    assert torch.equal(sample(pipe, call), plain_output)


def held(cache) -> int:
    return sum(f.numel() for f in cache._run.features) if cache._run else 0


def test_features_go_when_a_loop_ends_early():
    """As the base model of SDXL's does, whose refiner takes the rest."""
    pipe, call = xl()
    with EncoderCache(pipe, stride=3) as cache:
        sample(pipe, call | {"denoising_end": 0.6})
        assert held(cache) == 0


@pytest.mark.parametrize("how", ["interrupt", "exception"])
def test_features_go_when_a_loop_is_interrupted_or_fails(how):
    pipe, call = plain()

    def stop(pipe, step, t, tensors):
        if step == 4 and how == "exception":
            raise KeyboardInterrupt
        pipe._interrupt = step >= 4
        return tensors

    with EncoderCache(pipe, stride=3) as cache:
        expected = sample(pipe, call)
        if how == "exception":
            with pytest.raises(KeyboardInterrupt):
                sample(pipe, call | {"callback_on_step_end": stop})
        else:
            sample(pipe, call | {"callback_on_step_end": stop})
        assert held(cache) == 0
        assert torch.equal(sample(pipe, call), expected)


def test_features_are_held_while_the_loop_runs():
    pipe, call = plain()
    seen = []
    with EncoderCache(pipe, stride=8) as cache:
        sample(pipe, call | {"callback_on_step_end": lambda pipe, step, t, tensors: seen.append(held(cache)) or tensors})
    assert all(seen[:-1]) and not seen[-1] and held(cache) == 0


def test_image_to_image_begins_where_its_strength_says():
    pipe = components(StableDiffusionImg2ImgPipeline, image_unet())
    call = PROMPT | {"image": torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1)), "strength": 0.5}
    with HeldFeatures(pipe, every(2)):
        expected = sample(pipe, call)
    with EncoderCache(pipe, stride=2):
        assert close(sample(pipe, call), expected)
    with EncoderCache(pipe, stride=2, prior_noise=0.003), pytest.raises(ValueError, match="begins with noise"):
        sample(pipe, call)


def test_the_list_of_faster_diffusion_works_with_the_51_calls_of_pndm():
    """PNDM evaluates its second step twice, so from the third on a step of the list is one call later."""
    pipe = components(type(plain()[0]), image_unet(), scheduler=PNDMScheduler(skip_prk_steps=True, steps_offset=1))
    call = plain()[1] | {"num_inference_steps": 50}
    with HeldFeatures(pipe, lambda call: call in (0, 1, 3, 4, 6, 11, 16, 26, 36)):
        expected = sample(pipe, call)
    with EncoderCache(pipe, KeySteps.named("50ls")) as cache:
        assert close(sample(pipe, call), expected)
    assert cache.stats.encoder_passes == 9
    with (
        EncoderCache(pipe, KeySteps.named("50ls")),
        pytest.raises(ValueError, match="50 sampling steps do not fit into 21 calls"),
    ):
        sample(pipe, call | {"num_inference_steps": 20})


@pytest.mark.parametrize(
    "scheduler",
    [
        lambda: EDMEulerScheduler(sigma_data=0.5, prediction_type="epsilon"),
        lambda: EulerDiscreteScheduler(timestep_type="continuous", prediction_type="v_prediction", use_karras_sigmas=True),
    ],
    ids=["EDM", "SVD"],
)
def test_prior_noise_begins_half_way_where_timesteps_are_noise_levels(scheduler):
    pipe = components(type(plain()[0]), image_unet(), scheduler=scheduler())
    changed, original = [], pipe.scheduler.step

    def step(output, t, x, **kwargs):
        changed.append(x.clone())
        return original(output, t, x, **kwargs)

    pipe.scheduler.step = step
    with EncoderCache(pipe, stride=1):
        sample(pipe, plain()[1])
    before, changed = changed, []
    with EncoderCache(pipe, stride=1, prior_noise=0.003):
        sample(pipe, plain()[1])
    assert [torch.equal(a, b) for a, b in zip(before, changed, strict=True)][:5] == [True] * 4 + [False]
