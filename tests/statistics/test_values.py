"""No interval and no test of values that are NaN, too few, or not paired."""

import numpy as np
import pytest

from fcr_core.statistics.equivalence import non_inferiority_p, ratio_of_means
from fcr_core.statistics.intervals import jackknife_interval, mean_interval, ratio_of_medians, skewed_mean_interval
from fcr_core.statistics.paired_tests import between_seeds, paired_test
from fcr_core.statistics.rounding import not_negative

ONE = np.array([1.0])
SOUND = np.array([1.0, 2.0, 4.0])


MEANS = [mean_interval, skewed_mean_interval, between_seeds, lambda values: jackknife_interval(1.0, values)]
PAIRED = [
    lambda a, b: paired_test(a[None], b[None]),
    ratio_of_means,
    lambda a, b: non_inferiority_p(a, b, 0.1, "at most", "difference"),
]


@pytest.mark.parametrize("function", MEANS)
def test_one_value_has_no_interval(function):
    for values in (ONE, ONE[:0]):
        with pytest.raises(ValueError, match=f"needs at least 2 values, not {len(values)}"):
            function(values)
    assert function(SOUND).low < function(SOUND).high


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("function", MEANS)
def test_values_that_are_not_finite_have_none(function, value):
    with pytest.raises(ValueError, match="NaN or infinity in 1 of 4 values"):
        function(np.append(SOUND, value))


@pytest.mark.parametrize("function", PAIRED)
def test_arms_are_paired(function):
    for other in (ONE, SOUND[:2]):
        with pytest.raises(ValueError, match="paired arms must have the same shape"):
            function(SOUND, other)
    with pytest.raises(ValueError, match="needs at least 2 values, not 1"):
        function(ONE, ONE)


def test_a_ratio_of_times_needs_two_rounds():
    with pytest.raises(ValueError, match="needs at least 2 values, not 1"):
        ratio_of_medians(ONE, ONE)


def test_only_what_rounding_explains_becomes_zero():
    assert not_negative(-1e-9, 1.0, 64) == 0 and not_negative(3.0, 1.0, 64) == 3
    with pytest.raises(ValueError, match=r"a distance of -0\.01 where none can be negative"):
        not_negative(-0.01, 1.0, 64)
