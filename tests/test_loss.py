import pytest
import torch

from fcr_core import feature_consistency_loss
from fcr_core.encoder import capture
from fcr_core.loss import DISTANCES, draw_time_pairs, feature_distance

X, X2, TEXT = torch.randn(3, 4, 8, 8), torch.randn(3, 4, 8, 8), torch.randn(3, 3, 8)
T = torch.tensor([900, 500, 20])


def test_the_loss_is_the_mean_squared_difference_of_what_the_decoder_reads(unet):
    loss, per_block = feature_consistency_loss(unet, X, T, X2, T - 10, TEXT)
    with capture(unet) as a:
        unet(X, T, TEXT)
    a = dict(a)
    with capture(unet) as b:
        unet(X2, T - 10, TEXT)
    down0 = [((p - q) ** 2).mean() for p, q in zip(a["down.0"][1], b["down.0"][1], strict=True)]
    down1 = ((a["down.1"][0] - b["down.1"][0]) ** 2).mean()
    mid = ((a["mid"] - b["mid"]) ** 2).mean()
    torch.testing.assert_close(per_block["down.0"], sum(down0) / 2)
    torch.testing.assert_close(loss, (sum(down0) / 2 + down1 + mid) / 3)
    assert "conv_in" not in per_block


def test_equal_inputs_cost_nothing_and_gradients_reach_the_encoder_only(unet):
    assert feature_consistency_loss(unet, X, T, X, T, TEXT)[0] == 0
    feature_consistency_loss(unet, X, T, X2, T - 10, TEXT)[0].backward()
    assert unet.down_blocks[0].resnets[0].conv1.weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in unet.up_blocks.parameters())


def test_the_relative_distance_ignores_the_scale_of_a_layer():
    a, b = torch.randn(2, 3), torch.randn(2, 3)
    torch.testing.assert_close(DISTANCES["relative"](10 * a, 10 * b), DISTANCES["relative"](a, b))
    torch.testing.assert_close(DISTANCES["mse"](a, b), torch.nn.functional.mse_loss(a, b))


def test_unknown_names_are_refused_with_the_known_ones():
    features = {"mid": torch.zeros(1)}
    with pytest.raises(ValueError, match=r"unknown distance 'cos': expected one of \['mse', 'relative'\]"):
        feature_distance(features, features, "cos")
    with pytest.raises(ValueError, match=r"unknown blocks \['down.7'\]: this UNet has \['mid'\]"):
        feature_distance(features, features, blocks=["down.7"])


def test_time_pairs_are_uniform_on_their_ranges():
    t, t2 = draw_time_pairs(200_000, 10, 1000, torch.Generator().manual_seed(0))
    delta = t - t2
    assert delta.min() == 1 and delta.max() == 10 and t2.min() == 0 and t.max() == 999
    counts = torch.bincount(delta)[1:]
    assert (counts / 20_000 - 1).abs().max() < 0.05
    # Given Δ = 10, t is uniform on 10..999: its mean is 504.5, standard error 2.
    assert abs(t[delta == 10].float().mean() - 504.5) < 10
