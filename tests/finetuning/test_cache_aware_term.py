"""The cache-aware term computes what the cached sampler computes: on the sampler's own trajectories its loss is zero."""

import pytest
import torch

from fcr_core import EncoderCache, KeySteps
from fcr_core.backbones.loading import encode_prompts
from fcr_core.caching.plan import Plan
from fcr_core.finetuning.cache_aware_term import CachedDecoding, Groups
from fcr_core.sampling.trajectories import DDIMSteps, Trajectories, sample_trajectory
from fcr_core.unet.reuse_decoder import decoder_module, own_decoder

STEPS, STRIDE, GUIDANCE = 8, 4, 3.0
PLANS = [
    Plan(KeySteps.uniform(STRIDE)),
    Plan(KeySteps.uniform(STRIDE), cut=2),
    Plan(KeySteps.uniform(STRIDE), cut=2, reuse="linear"),
    Plan(KeySteps.uniform(STRIDE), cut=1, nodes=2),
    Plan(KeySteps.uniform(STRIDE), cut=2, nodes=3, reuse="linear"),
]


@torch.no_grad()
def trajectories_of(pipe, plan=None, decoder=None) -> Trajectories:
    """Two trajectories of the pipeline, cached by `plan`."""
    texts, null_text = encode_prompts(pipe, ["a cat", "a red car"]), encode_prompts(pipe, [""])
    noise = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    if plan is None:
        latents = sample_trajectory(pipe, texts, null_text, noise, STEPS, GUIDANCE)
    else:
        with EncoderCache(pipe, plan, decoder=decoder):
            latents = sample_trajectory(pipe, texts, null_text, noise, STEPS, GUIDANCE)
    return Trajectories(latents, texts, null_text, GUIDANCE, STEPS)


def other_decoder(pipe, cut: int):
    """A reuse decoder whose weights are not the UNet's."""
    torch.manual_seed(1)
    decoder = own_decoder(pipe.unet, cut)
    for parameter in decoder_module(decoder, cut).parameters():
        parameter.add_(0.02 * torch.randn_like(parameter))
    return decoder


@torch.no_grad()
@pytest.mark.parametrize("own", [False, True], ids=["shared", "own decoder"])
@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_predictions_are_those_of_the_cached_sampler(pocket_pipe, plan, own):
    decoder = other_decoder(pocket_pipe, plan.cut) if own else None
    cached = trajectories_of(pocket_pipe, plan, decoder)
    ddim = DDIMSteps.of(pocket_pipe.scheduler, STEPS)
    term = CachedDecoding(pocket_pipe.unet, cached, ddim, plan, decoder)
    groups = Groups(torch.tensor([0, 1, 0, 1]), torch.tensor([0, 0, 4, 4]))
    # Predictions come back from differences of latents: 1e-4 of their size of about 1.
    torch.testing.assert_close(term.predictions(groups), term.targets(groups), rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_uncached_trajectories_ask_for_what_reuse_does_not_give(pocket_pipe):
    plan = PLANS[1]
    ddim = DDIMSteps.of(pocket_pipe.scheduler, STEPS)
    term = CachedDecoding(pocket_pipe.unet, trajectories_of(pocket_pipe), ddim, plan)
    groups = Groups(torch.tensor([0, 1]), torch.tensor([0, 4]))
    gaps = (term.predictions(groups) - term.targets(groups)).square().flatten(2).mean((1, 2))
    assert gaps[0] < 1e-6 < gaps[1] < gaps[3]  # the key step itself, then further and further away
    assert term.loss(groups) == pytest.approx(gaps.mean().item(), rel=1e-5)


def test_without_the_encoder_only_the_decoder_learns(pocket_pipe):
    unet = pocket_pipe.unet
    decoder = own_decoder(unet, 2)
    learning = decoder_module(decoder, 2)
    learning.requires_grad_(True)
    ddim = DDIMSteps.of(pocket_pipe.scheduler, STEPS)
    term = CachedDecoding(unet, trajectories_of(pocket_pipe), ddim, PLANS[1], decoder)
    groups = term.draw(4, torch.Generator().manual_seed(0))
    assert set(groups.keys.tolist()) <= {0, 4}
    term.loss(groups, encoder_learns=False).backward()
    assert all(p.grad is None for p in unet.parameters())
    learned = {name for name, p in learning.named_parameters() if p.grad is not None}
    # Of the block's first resnet the head is that of the key step's pass.
    assert "1.weight" in learned and not any(".resnets.0.conv1" in name for name in learned)
