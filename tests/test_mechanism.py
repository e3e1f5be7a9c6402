import numpy as np
import pytest
import torch

from fcr_core.mechanism import feature_drift

from .unets import image_unet, text


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
