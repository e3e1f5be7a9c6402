import numpy as np
import pytest

from fcr_core.statistics.equivalence import non_inferiority_p, ratio_of_means
from fcr_core.statistics.intervals import mean_interval

RNG = np.random.default_rng(0)
OTHER = RNG.lognormal(size=60)
ARM = 1.1 * OTHER + RNG.normal(0, 0.2, size=60)


def test_a_margin_at_the_one_sided_bound_has_p_of_5_percent():
    gap, ratio = mean_interval(ARM - OTHER), ratio_of_means(ARM, OTHER)
    for interval, scale in ((gap, "difference"), (ratio, "ratio")):
        assert non_inferiority_p(ARM, OTHER, interval.upper_bound, "at most", scale) == pytest.approx(0.05)
        assert non_inferiority_p(ARM, OTHER, interval.lower_bound, "at least", scale) == pytest.approx(0.05)


def test_a_claim_far_inside_its_margin_is_sure_and_one_far_outside_is_not():
    assert non_inferiority_p(ARM, OTHER, 0.5, "at most", "ratio") < 1e-6
    assert non_inferiority_p(ARM, OTHER, -0.2, "at most", "ratio") > 1 - 1e-6


def test_the_ratio_of_means_of_proportional_arms_is_a_point():
    interval = ratio_of_means(3 * OTHER, OTHER)
    assert (interval.value, interval.low, interval.high) == pytest.approx((2, 2, 2), abs=1e-6)


def test_a_ratio_to_a_mean_that_may_be_zero_is_an_error():
    with pytest.raises(ValueError, match="compare differences"):
        ratio_of_means(ARM, OTHER - OTHER.mean())
