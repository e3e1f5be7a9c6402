import pytest
import torch

from fcr_core import feature_consistency_loss
from fcr_core.finetuning.consistency import DISTANCES, feature_distance, feature_norms
from fcr_core.unet.encoder_features import encode

from ..unets import built

X, X2, TEXT = torch.randn(3, 4, 8, 8), torch.randn(3, 4, 8, 8), torch.randn(3, 3, 8)
T = torch.tensor([900, 500, 20])


def test_the_loss_is_the_mean_squared_difference_of_what_the_decoder_reads(unet):
    loss, per_block = feature_consistency_loss(unet, X, T, X2, T - 10, TEXT)
    a, b = encode(unet, X, T, TEXT), encode(unet, X2, T - 10, TEXT)
    gaps = {name: [((p - q) ** 2).mean() for p, q in zip(a[name], b[name], strict=True)] for name in a}
    expected = {name: sum(values) / len(values) for name, values in gaps.items() if name != "conv_in"}
    assert per_block.keys() == expected.keys() == {"down.0", "down.1", "mid"}
    for name in expected:
        torch.testing.assert_close(per_block[name], expected[name].detach())
    torch.testing.assert_close(loss, sum(expected.values()) / 3)


@pytest.mark.parametrize("distance", DISTANCES)
def test_equal_inputs_cost_nothing(unet, distance):
    loss = feature_consistency_loss(unet, X, T, X, T, TEXT, distance=distance)[0]
    assert loss.item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("cut", [0, 1])
def test_gradients_reach_what_lies_before_the_cut_only(unet, cut):
    feature_consistency_loss(unet, X, T, X2, T - 10, TEXT, cut=cut)[0].backward()
    assert unet.down_blocks[0].resnets[0].conv1.weight.grad.abs().sum() > 0
    learning = [any(p.grad is not None for p in block.parameters()) for block in unet.up_blocks]
    assert learning == [index < cut for index in range(len(unet.up_blocks))]


# A detached part of the loss is a constant for its gradient; here it is computed with the weights before the nudge.
VARIANTS = [{"distance": distance, "stop_grad": side} for distance in DISTANCES for side in (None, "key", "reuse")]
VARIANTS += [{"blocks": blocks} for blocks in (("early",), ("late",), ("mid",), ("down.1", "mid"), ("conv_in",))]
VARIANTS += [{"cut": 1}, {"cut": 1, "blocks": ("up.0",), "distance": "relative"}]


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_gradients_agree_with_finite_differences(variant):
    unet = built("UNet2DCondition").double()
    inputs = [X.double(), T, X2.double(), T - 10, TEXT.double()]
    nudge = [torch.randn_like(p) for p in unet.parameters()]

    loss = feature_consistency_loss(unet, *inputs, **variant)[0]
    gradients = torch.autograd.grad(loss, list(unet.parameters()), allow_unused=True)
    slope = sum((g * n).sum() for g, n in zip(gradients, nudge, strict=True) if g is not None)

    constant = reference_parts(unet, inputs, variant)
    h = 1e-6
    high, low = (moved(unet, nudge, step, lambda: reference_loss(unet, inputs, variant, constant)) for step in (h, -h))
    torch.testing.assert_close(slope, (high - low) / (2 * h), rtol=1e-5, atol=1e-9)


def moved(unet, nudge, step, function):
    """The function's value with the weights moved along `nudge`."""
    with torch.no_grad():
        for parameter, direction in zip(unet.parameters(), nudge, strict=True):
            parameter.add_(step * direction)
        value = function()
        for parameter, direction in zip(unet.parameters(), nudge, strict=True):
            parameter.sub_(step * direction)
    return value


@torch.no_grad()
def reference_parts(unet, inputs, variant):
    x, t, x2, t2, text = inputs
    return [encode(unet, *sample, text, cut=variant.get("cut", 0)) for sample in ((x, t), (x2, t2))]


def reference_loss(unet, inputs, variant, constant):
    """The formulas written out, with what the gradient must not see taken from `constant`."""
    key, reuse = reference_parts(unet, inputs, variant)
    if variant.get("stop_grad") == "key":
        key = constant[0]
    if variant.get("stop_grad") == "reuse":
        reuse = constant[1]
    blocks = variant.get("blocks", ())
    groups = {"early": ["down.0"], "late": ["down.1"]}
    names = [n for b in blocks for n in groups.get(b, [b])] or [name for name in key if name != "conv_in"]
    total = 0.0
    for name in names:
        parts = []
        for a, b, scale in zip(key[name], reuse[name], constant[0][name], strict=True):
            if variant.get("distance") == "cosine":
                parts.append(1 - ((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))).mean())
            else:
                parts.append(((a - b) ** 2).mean() / ((scale**2).mean() if variant.get("distance") == "relative" else 1))
        total += sum(parts) / len(parts)
    return total / len(names)


def test_relative_and_cosine_ignore_the_scale_of_a_layer():
    a, b = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    for name in ("relative", "cosine"):
        torch.testing.assert_close(DISTANCES[name](10 * a, 10 * b), DISTANCES[name](a, b))
    torch.testing.assert_close(DISTANCES["cosine"](a, 3 * a), torch.tensor(0.0))
    torch.testing.assert_close(DISTANCES["mse"](a, b), torch.nn.functional.mse_loss(a, b))


def test_unknown_names_are_refused_with_the_known_ones(unet):
    features = {"mid": (torch.zeros(1),)}
    with pytest.raises(ValueError, match=r"unknown distance 'cos': expected one of \['cosine', 'mse', 'relative'\]"):
        feature_distance(features, features, "cos")
    with pytest.raises(ValueError, match=r"no blocks \['down.7'\]"):
        feature_distance(features, features, blocks=["down.7"])
    with pytest.raises(ValueError, match=r"unknown stop_grad 'both': expected one of \(None, 'key', 'reuse'\)"):
        feature_consistency_loss(unet, X, T, X2, T, TEXT, stop_grad="both")


def test_norms_are_root_mean_squares():
    assert feature_norms({"mid": (torch.full((2, 3), 3.0), torch.full((1,), -4.0))})["mid"].item() == pytest.approx(12.5**0.5)
