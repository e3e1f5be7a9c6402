import pytest
import torch
from peft import LoraConfig, get_peft_model

from fcr_core import feature_consistency_loss
from fcr_core.finetuning.consistency import DISTANCES, feature_distance, feature_norms
from fcr_core.unet.encoder_features import encode

from ..tiers import rest_slow
from ..unets import ADDED, FAMILIES, added_conditions, built, image_unet, k_unet

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


VARIANT_UNETS = {
    "no mid": (lambda: image_unet(mid_block_type=None), {}),
    "K": (k_unet, {}),
    "SDXL": (lambda: image_unet(**ADDED), {"added_cond_kwargs": added_conditions(3)}),
    "classes": (lambda: image_unet(num_class_embeds=10), {"class_labels": torch.tensor([1, 2, 3])}),
    "LCM": (lambda: image_unet(time_cond_proj_dim=6), {"timestep_cond": torch.ones(3, 6)}),
}


@pytest.mark.parametrize("cut", [0, 1])
@pytest.mark.parametrize("name", VARIANT_UNETS)
def test_the_loss_of_every_unet_is_that_of_its_features(name, cut):
    torch.manual_seed(0)
    build, conditions = VARIANT_UNETS[name]
    unet = build()
    loss, per_block = feature_consistency_loss(unet, X, T, X2, T - 10, TEXT, cut=cut, **conditions)
    loss.backward()
    assert loss > 0 and unet.conv_in.weight.grad.isfinite().all()
    assert ("mid" in per_block) == (unet.mid_block is not None and not cut)
    a, b = (encode(unet, x, t, TEXT, cut=cut, **conditions) for x, t in ((X, T), (X2, T - 10)))
    torch.testing.assert_close(loss, feature_distance(a, b)[0])


@pytest.mark.parametrize("argument", ["added_cond_kwargs", "class_labels", "timestep_cond"])
def test_conditions_matter_and_a_missing_one_is_named(argument):
    build, conditions = next(case for case in VARIANT_UNETS.values() if argument in case[1])
    unet = build()
    with pytest.raises(ValueError, match=f"UNet2DConditionModel needs {argument}.* not given"):
        feature_consistency_loss(unet, X, T, X2, T, TEXT)
    given = conditions[argument]
    changed = {key: value + 1 for key, value in given.items()} if isinstance(given, dict) else given + 1
    values = [feature_consistency_loss(unet, X, T, X2, T, TEXT, **{argument: value})[0] for value in (given, changed)]
    assert values[0] != values[1]


@pytest.mark.parametrize("family", ["UNet3DCondition", "UNetMotion", "UNetSpatioTemporal"])
def test_video_unets_have_a_loss(family):
    unet, x = built(family), torch.randn(2, *FAMILIES[family].latent)
    a, b = (FAMILIES[family].call(sample, 1) for sample in (x, x + 0.1))
    rest = {key: value for key, value in a.items() if key not in ("sample", "encoder_hidden_states")}
    loss, _ = feature_consistency_loss(unet, a["sample"], 500, b["sample"], 490, a["encoder_hidden_states"], **rest)
    assert loss > 0


@pytest.mark.parametrize("way", rest_slow(["peft", "torch.compile", "compile"]))
def test_wrapped_unets_have_the_loss_and_the_gradients_of_plain_ones(way):
    torch._dynamo.reset()
    plain, inside = built("UNet2DCondition"), built("UNet2DCondition")
    wrapped = inside
    if way == "torch.compile":
        wrapped = torch.compile(inside, backend="eager")
    elif way == "compile":
        inside.compile(backend="eager")
    else:
        wrapped = get_peft_model(inside, LoraConfig(r=2, target_modules=["to_q"]))
    wrapped(X, T, TEXT)
    losses = [feature_consistency_loss(unet, X, T, X2, T - 10, TEXT)[0] for unet in (plain, wrapped)]
    torch.testing.assert_close(*losses)
    if way != "peft":  # of which the adapters alone learn
        for loss in losses:
            loss.backward()
        torch.testing.assert_close(plain.conv_in.weight.grad, inside.conv_in.weight.grad)


def test_active_adapters_count():
    unet = built("UNet2DCondition")
    before = feature_consistency_loss(unet, X, T, X2, T, TEXT)[0]
    unet.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_k"], init_lora_weights=False))
    assert feature_consistency_loss(unet, X, T, X2, T, TEXT)[0] != before


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("distance", DISTANCES)
def test_half_precision_has_nearly_the_loss_of_single_precision(dtype, distance):
    unet = built("UNet2DCondition")
    expected = feature_consistency_loss(unet, X, T, X2, T - 10, TEXT, distance=distance)[0]
    half = [tensor.to(dtype) for tensor in (X, X2, TEXT)]
    found = feature_consistency_loss(unet.to(dtype), half[0], T, half[1], T - 10, half[2], distance=distance)[0]
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0.05, atol=0)


def test_autocast_takes_care_of_precision(unet):
    expected = feature_consistency_loss(unet, X, T, X2, T - 10, TEXT)[0]
    with torch.autocast("cpu", torch.bfloat16):
        found = feature_consistency_loss(unet, X.bfloat16(), T, X2.bfloat16(), T - 10, TEXT.bfloat16())[0]
    torch.testing.assert_close(found, expected, rtol=0.05, atol=0)


def test_squares_that_overflow_half_precision_are_summed_in_single():
    a, b = torch.full((2, 4), 600.0, dtype=torch.float16), torch.zeros(2, 4, dtype=torch.float16)
    assert DISTANCES["mse"](a, b).item() == 360_000 and DISTANCES["relative"](a, b).item() == 1
    assert feature_norms({"mid": (a,)})["mid"].item() == pytest.approx(600)


def test_features_that_are_zero_are_equal():
    zero = torch.zeros(2, 3, 4, 4)
    assert DISTANCES["relative"](zero, zero).item() == 0


def test_one_number_stands_for_the_timesteps_of_all(unet):
    numbers = feature_consistency_loss(unet, X, 500, X2, 490, TEXT)[0]
    tensors = feature_consistency_loss(unet, X, torch.full((3,), 500), X2, torch.full((3,), 490), TEXT)[0]
    assert torch.equal(numbers, tensors)


def test_a_block_may_be_named_alone(unet):
    assert list(feature_consistency_loss(unet, X, T, X2, T, TEXT, blocks="mid")[1]) == ["mid"]


WRONG = [
    ({"x_t": X[:, :3]}, r"x_t has the shape \(3, 3, 8, 8\)"),
    ({"x_t2": X2[:2]}, r"x_t2 has the shape \(2, 4, 8, 8\), but x_t has"),
    ({"t": T[:2]}, r"t has the shape \(2,\): give one timestep, or one for each of the 3 samples"),
    ({"t2": None}, "t2 is None"),
    ({"encoder_hidden_states": TEXT[:1]}, r"encoder_hidden_states has the shape \(1, 3, 8\)"),
    ({"x_t": X.half()}, "x_t is torch.float16, but the UNet is torch.float32: convert one, or use torch.autocast"),
    ({"encoder_hidden_states": TEXT.bfloat16()}, "encoder_hidden_states is torch.bfloat16, but the UNet is torch.float32"),
    ({"blocks": ("down.9",)}, r"no blocks \['down.9'\]: here are"),
    ({"cut": 7}, "cut 7: UNet2DConditionModel has the up blocks 0 to 1"),
    ({"label": 3}, "UNet2DConditionModel takes no label here"),
    ({"unet": torch.nn.DataParallel(built("UNet2DCondition"))}, "wrapped in DataParallel"),
]


@pytest.mark.parametrize("wrong, message", WRONG, ids=[message for _, message in WRONG])
def test_a_wrong_argument_is_named_in_one_line(unet, wrong, message):
    call = {"unet": unet, "x_t": X, "t": T, "x_t2": X2, "t2": T - 10, "encoder_hidden_states": TEXT}
    with pytest.raises(ValueError, match=message) as raised:
        feature_consistency_loss(**(call | wrong))
    assert "\n" not in str(raised.value)
