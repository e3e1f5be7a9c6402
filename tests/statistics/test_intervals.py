import numpy as np
import pytest
from scipy import stats as scipy_stats

from fcr_core.statistics.intervals import (
    Interval,
    Jackknifed,
    jackknife_interval,
    jackknifed_mean,
    mean_interval,
    ratio_of_medians,
    skewed_mean_interval,
)
from fcr_core.tables.criteria import Criterion

RNG = np.random.default_rng(0)


def test_the_interval_of_paired_differences_is_that_of_scipy():
    a, b = RNG.normal(size=30), RNG.normal(0.2, 1, size=30)
    expected = scipy_stats.ttest_rel(a, b).confidence_interval(0.95)
    bound = scipy_stats.ttest_rel(a, b, alternative="less").confidence_interval(0.95)
    interval = mean_interval(a - b)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
    assert interval.upper_bound == pytest.approx(bound.high)


def test_the_jackknife_of_a_mean_with_groups_of_one_is_students_interval():
    x = RNG.normal(size=20)
    interval, expected = jackknifed_mean(x, np.arange(20)).interval(), mean_interval(x)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


def test_pairing_cancels_what_both_arms_share():
    shared, noise = RNG.normal(size=100), RNG.normal(0, 0.01, size=100)
    groups = np.arange(100) % 20
    a, b = jackknifed_mean(10 + shared, groups), jackknifed_mean(9 + shared + noise, groups)
    gap = a.difference(b)
    assert gap.low < 1 < gap.high and gap.high - gap.low < 0.01 < a.interval().high - a.interval().low


def test_a_relative_change_is_that_of_the_values():
    a, b = Jackknifed(1.1, np.array([1.1, 1.1])), Jackknifed(1.0, np.array([1.0, 1.0]))
    change = a.relative_change(b)
    assert (change.value, change.low, change.high) == pytest.approx((0.1, 0.1, 0.1))


def test_the_jackknife_covers_the_true_mean_as_often_as_it_says():
    hits = 0
    for _ in range(400):
        interval = jackknifed_mean(RNG.normal(size=60), np.arange(60) % 20).interval()
        hits += interval.low < 0 < interval.high
    assert 0.92 <= hits / 400 <= 0.98


def test_identical_replicates_give_a_point():
    interval = jackknife_interval(2.0, np.full(20, 2.0))
    assert (interval.low, interval.high) == (2.0, 2.0)


def test_the_ratio_of_medians_uses_paired_repeats():
    fast = RNG.uniform(1, 2, size=9)
    interval = ratio_of_medians(3 * fast, fast)
    assert (interval.value, interval.low, interval.high) == pytest.approx((3, 3, 3))


def test_the_ratio_of_medians_over_rounds_is_students_interval_of_the_log_ratios():
    slow, fast = RNG.uniform(2, 3, size=4), RNG.uniform(1, 2, size=4)
    interval, expected = ratio_of_medians(slow, fast), scipy_stats.ttest_rel(np.log(slow), np.log(fast)).confidence_interval(0.95)
    assert interval.value == pytest.approx(scipy_stats.gmean(slow / fast))
    assert (interval.low, interval.high) == pytest.approx((np.exp(expected.low), np.exp(expected.high)))


def test_a_launch_counts_once_however_many_rounds_it_has():
    slow, fast = RNG.uniform(2, 3, size=(5, 7)), RNG.uniform(1, 2, size=(5, 7))
    launches = ratio_of_medians(slow, fast)
    assert launches == ratio_of_medians(np.median(slow, axis=1), np.median(fast, axis=1))
    assert launches == ratio_of_medians(np.repeat(slow, 3, axis=1), np.repeat(fast, 3, axis=1))


def bounds(low: float, high: float) -> Interval:
    return Interval((low + high) / 2, low, high, low, high)


@pytest.mark.parametrize(
    "criterion, low, high, verdict",
    [
        (Criterion("", "at most", 0.05, "quality"), -0.02, 0.04, "met"),
        (Criterion("", "at most", 0.05, "quality"), 0.06, 0.20, "not met"),
        (Criterion("", "at most", 0.05, "quality"), 0.00, 0.20, "inconclusive"),
        (Criterion("", "at least", 1.4, "speed"), 1.41, 1.60, "met"),
        (Criterion("", "at least", 1.4, "speed"), 1.00, 1.30, "not met"),
        (Criterion("", "at least", 1.4, "speed"), 1.30, 1.50, "inconclusive"),
    ],
)
def test_a_verdict_needs_the_bound_on_its_side(criterion, low, high, verdict):
    assert criterion.verdict(bounds(low, high)) == verdict


def test_an_interval_of_a_symmetric_sample_is_students_and_a_long_tail_moves_the_end_on_its_side():
    half = RNG.lognormal(size=40)
    symmetric = np.concatenate([half, -half])
    student, interval = mean_interval(symmetric), skewed_mean_interval(symmetric)
    assert (interval.low, interval.high) == pytest.approx((student.low, student.high))
    student, interval = mean_interval(half), skewed_mean_interval(half)
    assert interval.high > student.high and interval.low == pytest.approx(student.low)
    assert skewed_mean_interval(-half).low == pytest.approx(-interval.high)


def test_a_claim_about_a_long_tail_is_judged_by_the_ends_of_the_95_percent_interval():
    interval = skewed_mean_interval(RNG.lognormal(size=40))
    assert (interval.lower_bound, interval.upper_bound) == (interval.low, interval.high)


def test_halls_end_solves_halls_equation():
    x = RNG.lognormal(size=50)
    t = (x.mean() - skewed_mean_interval(x).high) / scipy_stats.sem(x)
    skewness, root_n = scipy_stats.skew(x), np.sqrt(50)
    transformed = t + skewness * t**2 / (3 * root_n) + skewness**2 * t**3 / (27 * 50) + skewness / (6 * root_n)
    assert transformed == pytest.approx(scipy_stats.t.ppf(0.025, 49))


def test_a_constant_sample_is_a_point():
    assert skewed_mean_interval(np.full(5, 2.0)) == Interval(*[2.0] * 5)
