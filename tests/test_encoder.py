import pytest
import torch

from fcr_core.encoder import capture, encode, encoder_blocks, replay, tensors_of

X, T, TEXT = torch.randn(2, 4, 8, 8), torch.tensor([500, 500]), torch.randn(2, 3, 8)


@torch.no_grad()
def test_replaying_captured_features_repeats_the_pass_bit_for_bit(unet):
    with capture(unet) as features:
        expected = unet(X, T, TEXT).sample
    with replay(unet, features):
        # The sample no longer matters: the decoder reads the features.
        again = unet(torch.zeros_like(X), T, TEXT).sample
    assert torch.equal(again, expected)


@torch.no_grad()
def test_replay_still_reads_the_time_step(unet):
    with capture(unet) as features:
        output = unet(X, T, TEXT).sample
    with replay(unet, features):
        assert not torch.equal(unet(X, T - 100, TEXT).sample, output)


@torch.no_grad()
def test_encode_gives_the_features_of_a_full_pass_without_a_decoder(unet):
    ran = []
    unet.up_blocks[0].register_forward_hook(lambda *_: ran.append(True))
    features = encode(unet, X, T, TEXT)
    assert not ran
    with capture(unet) as full:
        unet(X, T, TEXT)
    for name in encoder_blocks(unet):
        for a, b in zip(tensors_of(features[name]), tensors_of(full[name]), strict=True):
            assert torch.equal(a, b)


def test_each_tensor_that_the_decoder_reads_counts_once(unet):
    features = encode(unet, X, T, TEXT)
    # conv_in 1; down.0 a resnet and a downsampler, down.1 a resnet only: its output is that residual; mid 1.
    assert {name: len(tensors_of(output)) for name, output in features.items()} == {
        "conv_in": 1,
        "down.0": 2,
        "down.1": 1,
        "mid": 1,
    }


@torch.no_grad()
def test_nothing_stays_behind_after_an_exception(unet):
    before = unet(X, T, TEXT).sample
    features = encode(unet, X, T, TEXT)
    with pytest.raises(RuntimeError), replay(unet, features):
        raise RuntimeError
    assert all("forward" not in vars(module) for module in unet.modules())
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in unet.modules())
    assert torch.equal(unet(X, T, TEXT).sample, before)
