import pytest
import torch

from fcr_core.unet.split_unet import SplitUNet

from ..unets import FAMILIES, built, image_unet, text

T, EARLIER = torch.tensor(500), torch.tensor(400)


def call_of(family: str) -> dict:
    return FAMILIES[family].call(torch.randn(2, *FAMILIES[family].latent), True)


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("cut", [0, 1])
@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_decoding_its_own_features_repeats_the_pass_bit_for_bit(family, cut, live):
    unet, call = built(family), call_of(family)
    expected = unet(timestep=T, **call).sample
    split = SplitUNet(unet, cut, live)
    prediction, features = split.whole(timestep=T, **call)
    assert torch.equal(prediction, expected)
    # Without `live` only the shape of the sample matters.
    sample = call["sample"] if live else torch.full_like(call["sample"], torch.nan)
    assert torch.equal(split.decode(features, timestep=T, **call | {"sample": sample}), expected)
    assert torch.equal(unet(timestep=T, **call).sample, expected)


@torch.no_grad()
def reference(unet, x, t, context, cut, features=None, live=False):
    """UNet2DConditionModel's pass written out; with `features` = (hidden, residuals) of an earlier one, from up block `cut` on.

    Returns the prediction and its own (hidden, residuals).
    """
    emb = unet.time_embedding(unet.time_proj(t.expand(len(x))))
    h = unet.conv_in(x)
    residuals = [h]
    for block in unet.down_blocks:
        crossed = {"encoder_hidden_states": context} if getattr(block, "has_cross_attention", False) else {}
        h, more = block(hidden_states=h, temb=emb, **crossed)
        residuals += more
    h = unet.mid_block(h, emb, encoder_hidden_states=context)
    if features is not None and not live:
        residuals = list(features[1])
    own = list(residuals)
    for index, block in enumerate(unet.up_blocks):
        if index == cut:
            kept = (h, own)
            h = features[0] if features is not None else h
        taken = tuple(residuals[-len(block.resnets) :])
        del residuals[-len(block.resnets) :]
        crossed = {"encoder_hidden_states": context} if getattr(block, "has_cross_attention", False) else {}
        h = block(hidden_states=h, temb=emb, res_hidden_states_tuple=taken, **crossed)
    return unet.conv_out(unet.conv_act(unet.conv_norm_out(h))), kept


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("cut", [0, 1])
@torch.no_grad()
def test_a_cut_equals_the_pass_written_out(cut, live):
    unet, context = image_unet().eval(), text(2)
    x, later = torch.randn(2, 2, 4, 8, 8)
    split = SplitUNet(unet, cut, live)
    prediction, features = split.whole(x, T, context)
    expected, kept = reference(unet, x, T, context, cut)
    assert torch.equal(prediction, expected)
    decoded = split.decode(features, later, EARLIER, context)
    assert torch.equal(decoded, reference(unet, later, EARLIER, context, cut, kept, live)[0])
    assert not torch.allclose(decoded, expected)


@torch.no_grad()
def test_sizes_that_do_not_halve_evenly_work():
    """9 -> 5 -> 9: the up blocks are told the size by the shapes of residuals that no longer exist."""
    unet = image_unet().eval()
    x = torch.randn(2, 4, 9, 9)
    for cut in (0, 1):
        split = SplitUNet(unet, cut)
        prediction, features = split.whole(x, T, text(2))
        assert torch.equal(split.decode(features, x, T, text(2)), prediction)


def test_weights_are_shared_and_the_unet_is_not_touched():
    unet = image_unet().eval()
    before = {name: id(module) for name, module in unet.named_modules()}
    split = SplitUNet(unet, 1)
    x = torch.randn(1, 4, 8, 8)
    with torch.no_grad():
        unet.conv_out.weight.zero_()
        unet.conv_out.bias.fill_(2)
        assert split.whole(x, T, text(1))[0].eq(2).all()
    assert {name: id(module) for name, module in unet.named_modules()} == before


def test_an_unknown_cut_is_refused():
    with pytest.raises(ValueError, match="cut 2: UNet2DConditionModel has the up blocks 0 to 1"):
        SplitUNet(image_unet(), 2)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["eager", "inductor"])
@torch.no_grad()
def test_both_callables_compile_to_one_graph_each(backend):
    unet, x = image_unet().eval(), torch.randn(2, 4, 8, 8)
    plain, compiled = SplitUNet(unet), SplitUNet(unet)
    compiled.compile(fullgraph=True, backend=backend)
    expected, features = plain.whole(x, T, text(2))
    prediction, same = compiled.whole(x, T, text(2))
    torch.testing.assert_close(prediction, expected, rtol=1e-4, atol=1e-5)
    decoded = compiled.decode(same, x, EARLIER, text(2))
    torch.testing.assert_close(decoded, plain.decode(features, x, EARLIER, text(2)), rtol=1e-4, atol=1e-5)
