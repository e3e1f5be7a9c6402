"""Any plan, scheduler and pattern of calls against the plain reference: features held by hooks, every block computed."""

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DEISMultistepScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    UniPCMultistepScheduler,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fcr_core import EncoderCache

from ..held_features import HeldFeatures
from ..unets import image_unet, text
from .test_cached_pipelines import PROMPT, components, sample

SOLVERS = [DDIMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler, LCMScheduler, PNDMScheduler]
SCHEDULERS = [*SOLVERS, DEISMultistepScheduler, UniPCMultistepScheduler]
torch.manual_seed(0)
PIPE = components(StableDiffusionPipeline, image_unet())
OTHER = [text(2)[:1], torch.ones(1, 3, 8)]


def pattern(ends: int, changes: set[int]):
    """A callback that ends guidance after step `ends` and changes the prompt after the steps `changes`."""

    def callback(pipe, step, t, tensors):
        embeddings = tensors["prompt_embeds"]
        if step in changes:
            embeddings = torch.cat([embeddings[:-1], OTHER[step % 2]])
        if step == ends:
            pipe._guidance_scale, embeddings = 0.0, embeddings[-1:]
        return {"prompt_embeds": embeddings}

    return {"callback_on_step_end": callback, "callback_on_step_end_tensor_inputs": ["prompt_embeds"]}


@pytest.mark.slow
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_the_cache_equals_held_features(data):
    steps = data.draw(st.integers(2, 9), "steps")
    kind = data.draw(st.sampled_from(SCHEDULERS), "scheduler")
    PIPE.scheduler = kind(**({"skip_prk_steps": True} if kind is PNDMScheduler else {}))
    calls = steps + (kind is PNDMScheduler)
    keys = sorted({0, *data.draw(st.sets(st.integers(1, calls - 1)), "keys")})
    cut = data.draw(st.integers(0, 1), "cut")
    changes, ends = (
        data.draw(st.sets(st.integers(0, steps - 1)), "changes"),
        data.draw(st.integers(0, 2 * steps), "guidance ends"),
    )
    call = PROMPT | {"height": 16, "width": 16, "num_inference_steps": steps} | pattern(ends, changes)
    with HeldFeatures(PIPE, set(keys).__contains__, cut):
        expected = sample(PIPE, call)
    with EncoderCache(PIPE, keys, cut=cut, max_parallel=data.draw(st.sampled_from([None, 1, 3]), "max_parallel")) as cache:
        got = sample(PIPE, call)
    assert (got - expected).norm() / expected.norm() < 1e-5
    assert cache.stats.encoder_passes == len(keys)
    plain = sample(PIPE, call)
    with EncoderCache(PIPE, stride=1):
        assert torch.equal(sample(PIPE, call), plain)
