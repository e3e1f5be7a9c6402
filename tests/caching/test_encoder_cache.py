"""EncoderCache in sampling loops written as diffusers' pipelines write theirs, on tiny UNets of all classes."""

import inspect
import threading
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from accelerate import cpu_offload_with_hook
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    DPMSolverSinglestepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LCMScheduler,
    PNDMScheduler,
    UNet2DModel,
)
from torch.utils.data import DataLoader

from fcr_core import EncoderCache, KeySteps
from fcr_core.caching.launches import steps_a_launch
from fcr_core.caching.plan import Plan
from fcr_core.cost.clock import peak_tensor_bytes

from ..unets import FAMILIES, built, image_unet, text

SD = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
SCHEDULERS = {
    "DDIM": lambda: DDIMScheduler(**SD, clip_sample=False),
    "PNDM": lambda: PNDMScheduler(**SD, skip_prk_steps=True, steps_offset=1),
    "Euler": lambda: EulerDiscreteScheduler(**SD),
    "DPM++": lambda: DPMSolverMultistepScheduler(**SD),
}
MORE_SCHEDULERS = {
    "Euler ancestral": lambda: EulerAncestralDiscreteScheduler(**SD),
    "DPM++ singlestep": lambda: DPMSolverSinglestepScheduler(**SD),
    "LCM": lambda: LCMScheduler(**SD),
}
STEPS = 12
UNCONDITIONAL = {
    "block_out_channels": (8,),
    "down_block_types": ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",),
    "norm_num_groups": 4,
}


def make_pipe(family: str = "UNet2DCondition", scheduler: str = "DDIM", seed: int = 0) -> SimpleNamespace:
    return SimpleNamespace(unet=built(family, seed), scheduler=(SCHEDULERS | MORE_SCHEDULERS)[scheduler](), family=family)


@torch.no_grad()
def run(pipe, steps: int = STEPS, guided: bool = True, seed: int = 0, unguided_from: int | None = None) -> torch.Tensor:
    """A sampling loop as in diffusers' pipelines; `unguided_from`: the step from which guidance is off."""
    family, generator = FAMILIES[pipe.family], torch.Generator().manual_seed(seed)
    pipe.scheduler.set_timesteps(steps)
    x = torch.randn(2, *family.latent, generator=generator) * pipe.scheduler.init_noise_sigma
    extra = {"generator": generator} if "generator" in pipe.scheduler.step.__code__.co_varnames else {}
    for i, t in enumerate(pipe.scheduler.timesteps):
        guide = guided and (unguided_from is None or i < unguided_from)
        scaled = pipe.scheduler.scale_model_input(torch.cat([x, x]) if guide else x, t)
        call = family.call(scaled, guide)
        if guided and not guide:  # the conditional half of what a guided call would get
            call["encoder_hidden_states"] = family.call(torch.cat([x, x]), True)["encoder_hidden_states"][-len(x) :]
        prediction = pipe.unet(timestep=t, **call, return_dict=False)[0]
        if guide:
            unconditional, conditional = prediction.chunk(2)
            prediction = unconditional + 3 * (conditional - unconditional)
        x = pipe.scheduler.step(prediction, t, x, **extra, return_dict=False)[0]
    return x


def cached(pipe, steps: int = STEPS, guided: bool = True, unguided_from: int | None = None, **options) -> torch.Tensor:
    with EncoderCache(pipe, **options):
        return run(pipe, steps, guided, unguided_from=unguided_from)


def assert_close(a: torch.Tensor, b: torch.Tensor) -> None:
    assert (a - b).norm() / b.norm() < 1e-5


@pytest.mark.parametrize("stride", [1, pytest.param(3, marks=pytest.mark.slow), 5, 8])
@pytest.mark.parametrize("guided", [True, False])
@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_scheduler_and_stride(family, scheduler, guided, stride):
    """Stride 1 is the plain loop bit for bit; decoding in parallel is decoding one step a launch."""
    pipe, loop = make_pipe(family, scheduler), {"steps": 9, "guided": guided}
    parallel = cached(pipe, **loop, stride=stride)
    if stride == 1:
        assert torch.equal(parallel, run(pipe, **loop))
    else:
        assert_close(parallel, cached(pipe, **loop, stride=stride, parallel=False))


@pytest.mark.parametrize("scheduler", MORE_SCHEDULERS)
def test_further_schedulers(scheduler):
    pipe = make_pipe(scheduler=scheduler)
    assert torch.equal(cached(pipe, stride=1), run(pipe))
    assert_close(cached(pipe, stride=5), cached(pipe, stride=5, parallel=False))


@pytest.mark.parametrize("options", [{"cut": 1}, {"nodes": 2}, {"reuse": "linear"}, {"cut": 1, "nodes": 3, "reuse": "linear"}])
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_parallel_equals_sequential_and_any_chunk(scheduler, options):
    pipe = make_pipe(scheduler=scheduler)
    sequential = cached(pipe, stride=5, parallel=False, **options)
    assert_close(cached(pipe, stride=5, **options), sequential)
    assert_close(cached(pipe, stride=5, max_parallel=3, **options), sequential)
    assert not torch.allclose(sequential, run(pipe))


def test_a_launch_reads_no_more_features_than_a_cpu_holds_near_it():
    """1 MB a step: eight steps of sixteen; 5 MB a step: one; elsewhere than on a CPU all sixteen."""
    assert steps_a_launch((torch.zeros(250_000),)) == 8
    assert steps_a_launch((torch.zeros(250_000), torch.zeros(1_000_000))) == 1
    assert steps_a_launch((torch.zeros(25),)) == steps_a_launch((torch.zeros(250_000, device="meta"),)) == 16


def test_one_step_a_launch_takes_the_same_memory_at_any_stride():
    """Features and two predictions, not one prediction for each step of the group."""
    pipe = make_pipe()
    peaks = [
        peak_tensor_bytes(lambda options=options: cached(pipe, **options))
        for options in ({"stride": 6, "parallel": False}, {"stride": 12, "parallel": False}, {"stride": 12})
    ]
    assert peaks[0] == peaks[1] < peaks[2] / 2


@pytest.mark.parametrize("options", [{}, {"nodes": 3}])
def test_a_step_is_decoded_when_it_is_asked_for(options):
    """So it sees what the pipeline passes at that step, and a run that is stopped has decoded nothing in vain."""
    pipe = make_pipe()
    pipe.scheduler.set_timesteps(STEPS)
    with torch.no_grad(), EncoderCache(pipe, stride=STEPS, parallel=False, **options) as cache:
        for t in pipe.scheduler.timesteps[:4]:
            pipe.unet(torch.zeros(2, 4, 8, 8), t, text(2))
    assert cache.stats.decoder_passes == (2 if options else 4)


@pytest.mark.parametrize("options", [{}, {"cut": 1}, {"cut": 1, "live": True}, {"nodes": 2}, {"reuse": "linear"}])
def test_guidance_may_end_inside_a_group(options):
    """From the step where it ends the conditional half goes on; it ends at a key step or between two."""
    pipe = make_pipe()
    for end in (5, 7):
        kept = cached(pipe, stride=5, unguided_from=end, **options)
        assert kept.shape == (2, 4, 8, 8)
        if not options:
            assert_close(kept, cached(pipe, stride=5, unguided_from=end, parallel=False))
    with EncoderCache(pipe, stride=1):
        assert torch.equal(run(pipe, unguided_from=7), run(make_pipe(), unguided_from=7))


@pytest.mark.parametrize("options", [{}, {"reuse": "linear"}, {"cut": 1, "live": True}])
def test_guidance_may_begin_at_a_key_step(options):
    """Its rows have no earlier features: a group of them is that of a run which begins there."""
    pipe = make_pipe()
    pipe.scheduler.set_timesteps(4)
    times, x = pipe.scheduler.timesteps, torch.randn(4, 4, 8, 8)
    with torch.no_grad(), EncoderCache(pipe, KeySteps.explicit([0, 1, 2]), **options):
        for t in times[:2]:
            pipe.unet(x[:2], t, text(2))
        grown = [pipe.unet(x, t, text(4)).sample for t in times[2:]]
        pipe.scheduler.set_timesteps(4)
    with torch.no_grad(), EncoderCache(pipe, KeySteps.explicit([0, 2]), **options | {"reuse": "hold"}):
        for t in times[:2]:
            pipe.unet(x, t, text(4))
        assert torch.equal(torch.stack(grown), torch.stack([pipe.unet(x, t, text(4)).sample for t in times[2:]]))


def test_guidance_may_not_begin_inside_a_group():
    pipe = make_pipe()
    pipe.scheduler.set_timesteps(4)
    first, second = pipe.scheduler.timesteps[:2]
    with torch.no_grad(), EncoderCache(pipe, stride=2), pytest.raises(ValueError, match="grown from 2 to 4"):
        pipe.unet(torch.zeros(2, 4, 8, 8), first, text(2))
        pipe.unet(torch.zeros(4, 4, 8, 8), second, text(4))


def test_dense_warm_up_and_named_and_calibrated_key_steps():
    pipe = make_pipe()
    for keys, passes in (
        (KeySteps.uniform(5, warmup=3), 5),
        (KeySteps.explicit([0, 1, 2, 6]), 4),
        (KeySteps.calibrated(np.ones(STEPS - 1), 4), 4),
    ):
        with EncoderCache(pipe, keys) as cache:
            run(pipe)
        assert (cache.stats.encoder_passes, cache.stats.decoder_passes) == (passes, STEPS)
    with EncoderCache(pipe, KeySteps.named("50ls")) as cache:
        run(pipe, steps=50)
    assert cache.stats.encoder_passes == 9


def test_statistics_count_passes_and_bytes():
    pipe = make_pipe()
    with EncoderCache(pipe, stride=5) as cache:
        run(pipe)
    assert (cache.stats.encoder_passes, cache.stats.decoder_passes) == (3, 12)
    # conv_in and down.0's resnet 8x8x8, its downsampler 8x4x4, down.1 and mid 16x4x4; float32, batch 2 with guidance.
    assert cache.stats.cached_bytes == 4 * 4 * (2 * 8 * 64 + 8 * 16 + 2 * 16 * 16)
    with EncoderCache(pipe, stride=5, cut=1, nodes=2) as cache:
        run(pipe)
    assert (cache.stats.encoder_passes, cache.stats.decoder_passes) == (3, 6)
    # conv_in's output, and what the head of up.1 returns twice: 8x8x8 each.
    assert cache.stats.cached_bytes == 4 * 4 * 3 * 8 * 64


@pytest.mark.parametrize("hooked", ["up_blocks.0", "up_blocks.0.resnets.0"])
def test_hooks_on_the_decoder_run_for_every_launch(hooked):
    """The block at the cut runs as a copy only when nobody would miss the original."""
    pipe = make_pipe()
    expected, seen = cached(pipe, stride=4, parallel=False), []
    handle = pipe.unet.get_submodule(hooked).register_forward_hook(lambda *_: seen.append(True))
    assert_close(cached(pipe, stride=4, parallel=False), expected)
    assert len(seen) == STEPS
    handle.remove()
    assert torch.equal(cached(pipe, stride=4, parallel=False), expected) and len(seen) == STEPS


def test_leaving_restores_the_pipeline_also_after_an_exception():
    pipe = make_pipe()
    expected, before = run(pipe), {name: vars(part).copy() for name, part in (("unet", pipe.unet), ("s", pipe.scheduler))}
    with pytest.raises(KeyboardInterrupt), EncoderCache(pipe, stride=4, prior_noise=0.003):
        run(pipe)
        raise KeyboardInterrupt
    assert vars(pipe.unet).keys() == before["unet"].keys() and vars(pipe.scheduler).keys() == before["s"].keys()
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in pipe.unet.modules())
    assert torch.equal(run(pipe), expected)


def test_nothing_leaks_from_one_call_to_the_next():
    pipe = make_pipe()
    with EncoderCache(pipe, stride=4, reuse="linear"):
        run(pipe, steps=7, seed=1)
        second = run(pipe, seed=2)
    with EncoderCache(pipe, stride=4, reuse="linear"):
        assert torch.equal(run(pipe, seed=2), second)


def test_a_pass_that_failed_half_way_leaves_nothing_for_the_next():
    pipe = make_pipe()
    expected = cached(pipe, stride=4)
    failures = iter([True])

    def fail_once(*_) -> None:
        if next(failures, False):
            raise MemoryError

    with EncoderCache(pipe, stride=4):
        for hooked in (pipe.unet.up_blocks[1].resnets[0], pipe.unet.up_blocks[1].resnets[1]):
            failures = iter([True])
            handle = hooked.register_forward_hook(fail_once)
            with pytest.raises(MemoryError):
                run(pipe, seed=3)
            handle.remove()
            assert torch.equal(run(pipe), expected)


def test_a_second_loop_without_new_timesteps_is_a_new_run():
    pipe = make_pipe()
    pipe.scheduler.set_timesteps(8)
    noise = torch.randn(2, 2, 4, 8, 8)

    def predictions(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([pipe.unet(x, t, text(2)).sample for t in pipe.scheduler.timesteps])

    with torch.no_grad(), EncoderCache(pipe, stride=4) as cache:
        predictions(noise[0])
        second = predictions(noise[1])
    assert cache.stats.encoder_passes == 4
    with torch.no_grad(), EncoderCache(pipe, stride=4):
        assert torch.equal(predictions(noise[1]), second)


@pytest.mark.parametrize("options", [{}, {"cut": 1}])
def test_freeu_scales_in_place_and_the_features_stay_as_they_were(options):
    """diffusers' FreeU multiplies half of the hidden state of the first up blocks in place."""
    pipe = make_pipe()
    pipe.unet.up_blocks[0].resolution_idx, pipe.unet.up_blocks[1].resolution_idx = 0, 1
    for block in pipe.unet.up_blocks:
        block.b1, block.b2, block.s1, block.s2 = 1.5, 1.6, 0.9, 0.2
    assert_close(cached(pipe, stride=5, **options), cached(pipe, stride=5, parallel=False, **options))
    with EncoderCache(pipe, stride=1):
        assert torch.equal(run(pipe), run(pipe))


def test_patched_methods_show_the_signatures_that_pipelines_inspect():
    pipe = make_pipe(scheduler="LCM")
    originals = {name: inspect.signature(getattr(pipe.scheduler, name)) for name in ("set_timesteps", "step")}
    with EncoderCache(pipe, stride=4, prior_noise=0.003):
        assert {name: inspect.signature(getattr(pipe.scheduler, name)) for name in originals} == originals


def test_two_pipelines_interleaved_and_in_threads_do_not_disturb_each_other():
    pipes = [make_pipe(seed=1), make_pipe("UNetMotion", "PNDM", seed=2)]
    alone = [cached(pipe, stride=4) for pipe in pipes]
    made = {}

    def sample(index: int) -> None:
        made[index] = run(pipes[index])

    with EncoderCache(pipes[0], stride=4), EncoderCache(pipes[1], stride=4):
        assert all(torch.equal(run(pipe), expected) for pipe, expected in zip(pipes, alone, strict=True))
        threads = [threading.Thread(target=sample, args=(index,)) for index in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert all(torch.equal(made[index], expected) for index, expected in enumerate(alone))


def test_a_data_loader_may_feed_it():
    pipe, expected = make_pipe(), None
    expected = cached(pipe, stride=4)
    with EncoderCache(pipe, stride=4):
        for batch in DataLoader(torch.arange(4), batch_size=2, num_workers=1):
            assert batch.shape == (2,)
            assert torch.equal(run(pipe), expected)


def test_offloaded_weights_are_brought_back_for_each_call():
    pipe = make_pipe()
    expected = cached(pipe, stride=4)
    moved = []
    _, hook = cpu_offload_with_hook(pipe.unet, execution_device="cpu")
    original = hook.hook.pre_forward
    hook.hook.pre_forward = lambda module, *args, **kwargs: moved.append(module) or original(module, *args, **kwargs)
    assert torch.equal(cached(pipe, stride=4), expected)
    assert len(moved) == STEPS and torch.equal(cached(pipe, stride=1), run(pipe))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["eager", "inductor"])
@pytest.mark.parametrize("how", ["torch.compile(unet)", "unet.compile()"])
def test_a_compiled_unet_stays_compiled_as_one_graph_a_part(how, backend, monkeypatch):
    """The whole pass and the decoder of a group's other steps: two graphs, also for a second run."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    pipe = make_pipe()
    expected, unet = cached(pipe, steps=8, stride=4), pipe.unet
    if how == "unet.compile()":
        unet.compile()
    else:
        pipe.unet = torch.compile(unet)
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    before = vars(unet).copy(), vars(pipe.unet).copy()
    with EncoderCache(pipe, stride=4):
        for _ in range(2):
            torch.testing.assert_close(run(pipe, steps=8), expected, rtol=1e-4, atol=1e-5)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 2
    assert (vars(unet), vars(pipe.unet)) == before


def test_linear_reuse_follows_features_that_change_linearly():
    """A group's features lie on the line through the last two key steps', in the solver's time."""
    pipe = make_pipe()
    with EncoderCache(pipe, stride=4, reuse="linear") as cache:
        pipe.scheduler.set_timesteps(8)
        with torch.no_grad():
            for t in pipe.scheduler.timesteps[:5]:
                pipe.unet(torch.full((2, 4, 8, 8), float(t) / 1000), t, text(2))
        state, times = cache._run, pipe.scheduler.timesteps.float()
        six = state.features_at([6], 2)
        weight = (times[6] - times[4]) / (times[4] - times[0])
        for feature, now, earlier in zip(six, state.features, state.earlier, strict=True):
            torch.testing.assert_close(feature, now + weight * (now - earlier))


def test_two_nodes_are_joined_by_a_line_in_the_solvers_time():
    """DDIM: in t. The predictions of steps 0 and 3 are decoded, those of 1 and 2 lie between."""
    pipe = make_pipe()
    pipe.scheduler.set_timesteps(4)
    x, context = torch.randn(2, 4, 8, 8), text(2)
    with torch.no_grad():
        with EncoderCache(pipe, stride=4) as every:
            predictions = [pipe.unet(x, t, context).sample for t in pipe.scheduler.timesteps]
        with EncoderCache(pipe, stride=4, nodes=2):
            joined = [pipe.unet(x, t, context).sample for t in pipe.scheduler.timesteps]
    assert every.stats.decoder_passes == 4
    for i, weight in enumerate((0, 1 / 3, 2 / 3, 1)):
        torch.testing.assert_close(joined[i], torch.lerp(predictions[0], predictions[3], weight), rtol=1e-4, atol=1e-5)


def test_one_node_holds_the_prediction_of_the_key_step():
    pipe = make_pipe()
    with EncoderCache(pipe, stride=STEPS, nodes=1) as cache:
        run(pipe)
    assert (cache.stats.encoder_passes, cache.stats.decoder_passes) == (1, 1)


def test_prior_noise_enters_the_sample_in_the_second_half():
    """Faster Diffusion: latents += 0.003 * initial latents where t < 500."""
    pipe, seen = make_pipe(), []
    original = pipe.scheduler.step

    def step(output, t, sample, **kwargs):
        seen.append(sample)
        return original(output, t, sample, **kwargs)

    pipe.scheduler.step = step
    plain = run(pipe)
    before = list(seen)
    seen.clear()
    with EncoderCache(pipe, stride=1, prior_noise=0.003):
        noised = run(pipe)
    first = next(i for i, t in enumerate(pipe.scheduler.timesteps) if t < 500)
    assert all(torch.equal(a, b) for a, b in zip(seen[:first], before[:first], strict=True))
    torch.testing.assert_close(seen[first], before[first] + 0.003 * before[0])
    assert not torch.equal(noised, plain) and pipe.scheduler.step is step


def test_unsupported_input_is_refused_in_words():
    heun = SimpleNamespace(unet=image_unet(), scheduler=HeunDiscreteScheduler())
    with pytest.raises(ValueError, match="calls the UNet 2 times a step: use"):
        EncoderCache(heun, stride=2)
    with pytest.raises(ValueError, match=r"no \.unet.*enable_cache"):
        EncoderCache(SimpleNamespace(scheduler=None), stride=2)
    with pytest.raises(ValueError, match="is no UNet with down and up blocks"):
        EncoderCache(SimpleNamespace(unet=torch.nn.Linear(1, 1), scheduler=None), stride=2)
    unconditional = SimpleNamespace(unet=UNet2DModel(**UNCONDITIONAL), scheduler=DDIMScheduler())
    with pytest.raises(ValueError, match="UNet2DModel reads no text or image embedding"):
        EncoderCache(unconditional, stride=2)
    pipe = make_pipe()
    for options, words in (
        ({}, "either key steps or a stride"),
        ({"keys": Plan(KeySteps.uniform(2)), "cut": 1}, "a Plan says cut itself: give it there"),
        ({"stride": 2, "cut": 2}, "cut 2: UNet2DConditionModel has the up blocks 0 to 1"),
        ({"stride": 2, "reuse": "quadratic"}, "reuse must be"),
        ({"stride": 2, "nodes": 0}, "nodes must be at least 1"),
        ({"stride": 2, "live": True, "nodes": 2}, "live reads the sample"),
    ):
        with pytest.raises(ValueError, match=words):
            EncoderCache(pipe, **options)
    with pytest.raises(ValueError, match=f"do not fit into {STEPS}"), EncoderCache(pipe, stride=STEPS + 1):
        run(pipe)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stride": 0}, "stride must be at least 1"),
        ({"stride": 2.5}, "stride must be at least 1 and a whole number, not 2.5"),
        ({"stride": "4"}, "stride must be .* not '4'"),
        ({"stride": True}, "stride must be"),
        ({"stride": 4, "cut": -1}, "cut must be at least 0"),
        ({"stride": 4, "cut": 1.0}, "cut must be"),
        ({"stride": 4, "nodes": 1.5}, "nodes must be"),
        ({"stride": 4, "reuse": "Hold"}, "reuse must be"),
        ({"stride": 4, "live": "no"}, "live must be True or False"),
        ({"stride": 4, "max_parallel": 0}, "max_parallel must be at least 1"),
        ({"stride": 4, "max_parallel": -1}, "max_parallel must be"),
        ({"stride": 4, "parallel": "no"}, "parallel must be True or False"),
        ({"stride": 4, "prior_noise": "0.003"}, "prior_noise must be a share"),
        ({"stride": 4, "prior_noise": -0.1}, "prior_noise must be a share"),
        ({"stride": 4, "prior_noise": float("nan")}, "prior_noise must be a share"),
        ({"stride": 4, "strides": 4}, "no option strides"),
        ({"keys": 4}, r"give a stride \(stride=4\)"),
        ({"keys": [0, 4.0]}, "a key step of .* must be"),
        ({"keys": [1, 4]}, "start at 0 and increase"),
        ({"keys": [0, 4, 4]}, "start at 0 and increase"),
        ({"keys": []}, "start at 0"),
        ({"keys": ["0", "4"]}, "a key step of .* must be"),
        ({"keys": "51ls"}, "no key steps named '51ls'"),
        ({"keys": [0, 4], "stride": 4}, "either key steps or a stride"),
    ],
)
def test_mistyped_arguments_are_refused_in_one_line(options, words):
    pipe = make_pipe()
    before = {name: vars(part).keys() for name, part in (("unet", pipe.unet), ("scheduler", pipe.scheduler))}
    with pytest.raises(ValueError, match=words) as raised:
        EncoderCache(pipe, **options)
    assert "\n" not in str(raised.value)
    assert before == {name: vars(part).keys() for name, part in (("unet", pipe.unet), ("scheduler", pipe.scheduler))}


def test_key_steps_may_be_a_list_and_numbers_of_numpy():
    pipe = make_pipe()
    with EncoderCache(pipe, [0, 4]) as listed:
        run(pipe)
    with EncoderCache(pipe, np.array([0, 4]).tolist(), cut=np.int64(0)):
        run(pipe)
    with EncoderCache(pipe, stride=np.int64(4)):
        run(pipe)
    assert listed.stats.encoder_passes == 2
