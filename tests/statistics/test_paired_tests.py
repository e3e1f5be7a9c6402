import numpy as np
import pytest
from scipy import stats

from fcr_core.statistics.paired_tests import between_seeds, paired_test
from fcr_core.tables.criteria import Criterion

RNG = np.random.default_rng(0)


def test_a_paired_test_is_that_of_scipy_on_means_over_seeds():
    a, b = RNG.normal(size=(3, 40)), RNG.normal(0.2, 1, size=(3, 40))
    result, expected = paired_test(a, b), stats.ttest_rel(a.mean(0), b.mean(0))
    assert (result.t_p, result.df) == pytest.approx((expected.pvalue, 39))
    assert (result.difference.low, result.difference.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert result.wilcoxon_p == pytest.approx(stats.wilcoxon(a.mean(0), b.mean(0)).pvalue)


def test_more_seeds_of_the_same_prompts_are_not_more_prompts():
    a, b = RNG.normal(size=(1, 40)), RNG.normal(size=(1, 40))
    once, thrice = paired_test(a, b), paired_test(np.repeat(a, 3, axis=0), np.repeat(b, 3, axis=0))
    assert thrice.t_p == pytest.approx(once.t_p)


def test_wilcoxon_rejects_skewed_differences_whose_mean_is_zero():
    gaps = np.exp(2 * stats.norm.ppf(np.arange(1, 200) / 200))
    result = paired_test((gaps - gaps.mean())[None], np.zeros((1, 199)))
    assert result.t_p == pytest.approx(1) and result.wilcoxon_p < 0.001


def test_arms_that_agree_everywhere_have_no_ranks_to_test():
    same = RNG.normal(size=(2, 10))
    result = paired_test(same, same)
    assert np.isnan(result.wilcoxon_p) and result.difference.high == 0


def test_the_interval_between_seeds_says_what_it_is_and_no_criterion_takes_it():
    interval = between_seeds(np.array([1.0, 2.0, 3.0]))
    assert interval.label == "between-seed only, n=3, df=2"
    assert interval.high == pytest.approx(2 + 4.303 / np.sqrt(3), abs=1e-3)
    with pytest.raises(AttributeError):
        Criterion("", "at most", 9.0, "quality").verdict(interval)
