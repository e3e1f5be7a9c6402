import numpy as np
import pytest
import torch

from fcr_core.finetuning import feature_variance as mechanism
from fcr_core.finetuning.feature_variance import feature_drift, feature_variance
from fcr_core.unet.encoder_features import encode

from ..tiers import rest_slow
from ..unets import image_unet, text


@torch.no_grad()
def test_drift_is_the_change_from_each_call_to_the_next():
    """Calls at the same input do not drift; a larger change of the input drifts more."""
    unet, t = image_unet().eval(), torch.tensor(500)
    x, direction = torch.randn(2, 2, 4, 8, 8)

    def sample() -> None:
        for distance in (0.0, 0.0, 0.1, 1.1):
            unet(x + distance * direction, t, text(2))

    drift = feature_drift(unet, sample)
    assert drift.shape == (3,) and drift[0] == 0 and 0 < drift[1] < drift[2]
    assert np.array_equal(drift, feature_drift(unet, sample))
    assert not unet._forward_hooks and not unet.conv_in._forward_hooks


def test_a_failed_run_leaves_no_hook():
    unet = image_unet()
    with pytest.raises(ZeroDivisionError):
        feature_drift(unet, lambda: 1 / 0)
    assert not unet._forward_hooks and not unet.conv_in._forward_hooks


@torch.no_grad()
def test_feature_variance_is_the_formula_whatever_is_encoded_at_once(scheduler, monkeypatch):
    """E ‖Enc(x_t) − Enc(x_{t−Δ})‖² with x_t and x_{t−Δ} of one x_0 and ε, by hand for all images at once."""
    unet, deltas, count = image_unet().eval(), [5, 100], 5
    latents, texts = torch.randn(count, 4, 8, 8), text(count)
    whole = feature_variance(unet, scheduler, latents, texts, deltas, seed=3)
    monkeypatch.setattr(mechanism, "ENCODED_AT_ONCE", 2)
    parts = feature_variance(unet, scheduler, latents, texts, deltas, seed=3)
    columns = ["mse", "relative", "norm"]
    assert whole.drop(columns=columns).equals(parts.drop(columns=columns))
    np.testing.assert_allclose(whole[columns], parts[columns], rtol=1e-3)

    generator = torch.Generator().manual_seed(3)
    t = 100 + ((torch.arange(count) + torch.rand(count, generator=generator)) / count * 900).long()
    noise = torch.randn(latents.shape, generator=generator)
    now, before = (encode(unet, scheduler.add_noise(latents, noise, at), at, texts)["mid"][0] for at in (t, t - 5))
    mid = whole[(whole["delta"] == 5) & (whole["block"] == "mid")]
    gaps = (now - before).square().mean((1, 2, 3))
    np.testing.assert_allclose(mid["mse"], gaps, rtol=1e-3)
    np.testing.assert_allclose(mid["relative"], gaps / now.square().mean(), rtol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("way", rest_slow(["no mid", "wrapped", "in place"]))
def test_drift_of_unets_of_other_kinds(way):
    torch._dynamo.reset()
    torch.manual_seed(0)
    unet, t = image_unet(mid_block_type=None if way == "no mid" else "UNetMidBlock2DCrossAttn").eval(), torch.tensor(500)
    x = torch.randn(2, 2, 4, 8, 8)
    expected = feature_drift(unet, lambda: [unet(part, t, text(2)) for part in x])
    called = torch.compile(unet, backend="eager") if way == "wrapped" else unet
    if way == "in place":
        unet.compile(backend="eager")
    called(x[0], t, text(2))
    np.testing.assert_allclose(feature_drift(called, lambda: [called(part, t, text(2)) for part in x]), expected, rtol=1e-5)
    assert expected.shape == (1,) and expected[0] > 0
