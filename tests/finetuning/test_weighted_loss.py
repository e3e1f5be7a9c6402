"""The loss of whole recipes: gradients against finite differences, and zero where it must be."""

import pytest
import torch

from fcr_core.experiment.recipe import Recipe
from fcr_core.finetuning.weighted_loss import FineTuneLoss, trained_parts
from fcr_core.sampling.trajectories import Trajectories
from fcr_core.training.loop import TrainingRun
from fcr_core.training.training_set import EncodedSet

from ..unets import built

STEPS = 12


def recipe_of(**fields) -> Recipe:
    return Recipe.from_config(fields)


RECIPES = {
    "control": Recipe(),
    "plan": Recipe(lam=0.1),
    "groups": recipe_of(lam=0.1, times="groups", stride=4),
    "rollout": recipe_of(lam=0.1, source="rollout", stride=4, blocks=("mid", "down.1")),
    "preserve": Recipe(lam=1.0, preserve=10.0),
    "min-SNR": Recipe(min_snr=5.0),
    "decoding": recipe_of(decoding=1.0, stride=4),
    "decoding, linear, nodes": recipe_of(decoding=1.0, stride=4, cut=1, reuse="linear", nodes=2),
    "cut": recipe_of(lam=0.5, cut=1),
    "decoder": recipe_of(denoise=0.0, decoding=1.0, stride=4, cut=1, trains="decoder"),
    "decoder, linear": recipe_of(denoise=0.0, decoding=1.0, stride=3, cut=1, reuse="linear", trains="decoder"),
    "LoRA": recipe_of(lam=0.1, decoding=1.0, stride=4, trains="lora"),
}


@pytest.fixture
def data() -> EncodedSet:
    generator = torch.Generator().manual_seed(0)
    latents, texts = torch.randn(6, 4, 8, 8, generator=generator), torch.randn(6, 3, 8, generator=generator)
    return EncodedSet(latents, texts, torch.zeros(1, 3, 8), list("abcdef"))


@pytest.fixture
def trajectories() -> Trajectories:
    """Of the right shape; what lies on them does not matter for a gradient."""
    generator = torch.Generator().manual_seed(1)
    latents, texts = torch.randn(3, STEPS + 1, 4, 8, 8, generator=generator), torch.randn(3, 3, 8, generator=generator)
    return Trajectories(latents, texts, torch.zeros(1, 3, 8), guidance=3.0, steps=STEPS)


def built_loss(scheduler, data, trajectories, recipe, double=False, checkpointing=False):
    unet = built("UNet2DCondition")
    if checkpointing:
        unet.enable_gradient_checkpointing()
    if double:
        unet, data, trajectories = unet.double(), as_double(data), as_double(trajectories)
    parts = trained_parts(unet, recipe, lora_rank=2)
    loss = FineTuneLoss(unet, scheduler, data, recipe, 3, STEPS, trajectories, parts.decoder)
    return parts, loss


def as_double(made):
    return type(made)(**{name: v.double() if isinstance(v, torch.Tensor) else v for name, v in vars(made).items()})


@pytest.mark.parametrize("name", RECIPES)
def test_gradients_agree_with_finite_differences(scheduler, data, trajectories, name):
    torch.set_default_dtype(torch.float64)
    try:
        parts, loss = built_loss(scheduler, data, trajectories, RECIPES[name], double=True)
        learning = [p for p in parts.learning.parameters() if p.requires_grad]
        with torch.no_grad():  # away from the start, where adapters are zero and `preserve` has no slope
            for parameter in learning:
                parameter.add_(0.01 * torch.randn_like(parameter))
        nudge = [torch.randn_like(p) for p in learning]

        def value(step: float) -> torch.Tensor:
            with torch.no_grad():
                for parameter, direction in zip(learning, nudge, strict=True):
                    parameter.add_(step * direction)
                result = loss(0, torch.Generator().manual_seed(5))[0]
                for parameter, direction in zip(learning, nudge, strict=True):
                    parameter.sub_(step * direction)
            return result

        gradients = torch.autograd.grad(loss(0, torch.Generator().manual_seed(5))[0], learning, allow_unused=True)
        slope = sum((g * n).sum() for g, n in zip(gradients, nudge, strict=True) if g is not None)
        h = 1e-6
        torch.testing.assert_close(slope, (value(h) - value(-h)) / (2 * h), rtol=1e-5, atol=1e-8)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", RECIPES)
def test_gradient_checkpointing_keeps_every_loss_and_gradient(scheduler, data, trajectories, name):
    found = []
    for checkpointing in (False, True):
        parts, loss = built_loss(scheduler, data, trajectories, RECIPES[name], checkpointing=checkpointing)
        value, logged = loss(0, torch.Generator().manual_seed(5))
        value.backward()
        found.append((logged, {key: p.grad for key, p in parts.learning.named_parameters() if p.grad is not None}))
    (logged, gradients), (logged_again, gradients_again) = found
    assert logged == logged_again and gradients.keys() == gradients_again.keys() and gradients
    assert all(torch.equal(gradients[key], gradients_again[key]) for key in gradients)


def test_the_base_model_preserves_itself(scheduler, data, trajectories):
    _, loss = built_loss(scheduler, data, trajectories, RECIPES["preserve"])
    assert loss(0, torch.Generator().manual_seed(0))[1]["preserve"] == 0


def test_the_sum_is_that_of_the_weighted_terms(scheduler, data, trajectories):
    recipe = recipe_of(denoise=0.5, lam=2.0, preserve=3.0, decoding=4.0, stride=4)
    parts, loss = built_loss(scheduler, data, trajectories, recipe)
    with torch.no_grad():
        parts.unet.conv_out.weight.add_(0.1)
    total, terms = loss(0, torch.Generator().manual_seed(0))
    weights = {"denoise": 0.5, "consistency": 2.0, "preserve": 3.0, "decoding": 4.0}
    assert total.item() == pytest.approx(sum(weight * terms[name] for name, weight in weights.items()))


def test_stopping_the_gradient_swaps_which_pass_denoises(scheduler, data, trajectories):
    """Both sides see the same pair of times: their consistency is the same, their denoising passes are not."""
    sides = [built_loss(scheduler, data, trajectories, Recipe(lam=1.0, stop_grad=side))[1] for side in (None, "key", "reuse")]
    both, key, reuse = (loss(0, torch.Generator().manual_seed(0))[1] for loss in sides)
    assert both["consistency"] == pytest.approx(key["consistency"]) == pytest.approx(reuse["consistency"])
    assert both["denoise"] == reuse["denoise"] != key["denoise"]


@pytest.mark.parametrize("name", ["plan", "decoder", "LoRA"])
def test_training_changes_what_the_recipe_trains_and_nothing_else(scheduler, data, trajectories, name, tmp_path):
    recipe = RECIPES[name]
    parts, loss = built_loss(scheduler, data, trajectories, recipe)
    TrainingRun(parts.learning, tmp_path, lr=1e-2, seed=0, ema_decay=0.0).run(2, loss, 2, "test")
    before, after = built("UNet2DCondition").state_dict(), parts.finished().state_dict()
    assert before.keys() == after.keys()
    changed = {key.split(".")[0] for key in before if not torch.equal(before[key], after[key])}
    expected = {
        "plan": {"conv_in", "time_embedding", "down_blocks", "mid_block", "up_blocks", "conv_norm_out", "conv_out"},
        "decoder": {"up_blocks", "conv_norm_out", "conv_out"},
        "LoRA": {"down_blocks", "mid_block", "up_blocks"},
    }
    assert changed == expected[name]


def test_a_recipe_without_its_trajectories_is_refused(unet, scheduler, data):
    with pytest.raises(ValueError, match="needs trajectories of the base model"):
        FineTuneLoss(unet, scheduler, data, RECIPES["decoding"], 3)


@pytest.mark.parametrize("name", RECIPES)
def test_every_term_is_computed_where_the_unet_is(scheduler, data, trajectories, name):
    """On the meta device, which like a GPU refuses tensors that were left on the CPU."""
    recipe = RECIPES[name]
    unet = built("UNet2DCondition").to("meta")
    parts = trained_parts(unet, recipe, lora_rank=2)
    loss = FineTuneLoss(unet, scheduler, data, recipe, 3, STEPS, trajectories, parts.decoder)
    for source in loss.sources:
        terms = source(torch.Generator().manual_seed(0))
        assert terms and {value.device.type for value in terms.values()} == {"meta"}
