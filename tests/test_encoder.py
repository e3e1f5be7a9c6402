import torch

from fcr_core.encoder import capture, encode, encoder_blocks, tensors_of

X, T, TEXT = torch.randn(2, 4, 8, 8), torch.tensor([500, 500]), torch.randn(2, 3, 8)


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
