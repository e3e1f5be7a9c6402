import pytest
import torch

from fcr_core.unet.encoder_features import capture, encode, features_of, select_blocks

from ..unets import image_unet

X, T, TEXT = torch.randn(2, 4, 8, 8), torch.tensor([500, 500]), torch.randn(2, 3, 8)


@torch.no_grad()
@pytest.mark.parametrize("cut", [0, 1])
def test_encode_gives_the_features_of_a_full_pass_without_what_lies_behind_the_cut(unet, cut):
    ran = []
    unet.up_blocks[cut].register_forward_hook(lambda *_: ran.append(True))
    features = encode(unet, X, T, TEXT, cut=cut)
    assert not ran
    with capture(unet, cut) as outputs:
        unet(X, T, TEXT)
    full = features_of(unet, outputs, cut)
    assert list(features) == list(full)
    for name in features:
        assert all(torch.equal(a, b) for a, b in zip(features[name], full[name], strict=True))


@torch.no_grad()
@pytest.mark.parametrize("cut", [0, 1])
def test_the_features_are_what_the_up_blocks_read(unet, cut):
    """Compared with the arguments that diffusers passes to the up blocks."""
    read = []

    def note(module, args, kwargs):
        read.extend([kwargs["hidden_states"]] if not read else [])
        read.extend(kwargs["res_hidden_states_tuple"])

    for block in unet.up_blocks[cut:]:
        block.register_forward_pre_hook(note, with_kwargs=True)
    unet(X, T, TEXT)
    features = [tensor for tensors in encode(image_like(unet), X, T, TEXT, cut=cut).values() for tensor in tensors]
    key = lambda x: (x.shape, x.sum().item())  # noqa: E731
    assert sorted(map(key, features)) == sorted(map(key, read))


def image_like(unet):
    """The same weights without the hooks."""
    other = image_unet()
    other.load_state_dict(unet.state_dict())
    return other.eval()


def test_each_tensor_that_the_decoder_reads_counts_once(unet):
    # conv_in 1; down.0 a resnet and a downsampler, down.1 a resnet only: its output is that residual; mid 1.
    counts = {name: len(tensors) for name, tensors in encode(unet, X, T, TEXT).items()}
    assert counts == {"conv_in": 1, "down.0": 2, "down.1": 1, "mid": 1}
    assert {name: len(tensors) for name, tensors in encode(unet, X, T, TEXT, cut=1).items()} == {
        "conv_in": 1,
        "down.0": 1,
        "up.0": 1,
    }


def test_blocks_are_chosen_by_name_and_by_depth():
    features = dict.fromkeys(["conv_in", "down.0", "down.1", "down.2", "down.3", "mid"], ())
    assert select_blocks(features) == ["down.0", "down.1", "down.2", "down.3", "mid"]
    assert select_blocks(features, ("early",)) == ["down.0", "down.1"]
    assert select_blocks(features, ("late", "mid")) == ["down.2", "down.3", "mid"]
    assert select_blocks(features, ("conv_in",)) == ["conv_in"]
    with pytest.raises(ValueError, match=r"no blocks \['down.7'\]: here are .*'down.3'.* groups \['early', 'late'\]"):
        select_blocks(features, ("down.7",))
    with pytest.raises(ValueError, match=r"no blocks \['late'\]"):
        select_blocks({"conv_in": (), "down.0": (), "mid": ()}, ("late",))
