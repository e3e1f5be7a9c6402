"""Tests of the difference of two arms on the same prompts, and the interval between seeds, which no verdict may use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from fcr_core.statistics.intervals import Interval, mean_interval
from fcr_core.statistics.values import check_values


@dataclass(frozen=True)
class PairedTest:
    """Mean difference over prompts, with p-values of two tests: that its mean is 0, and that it is symmetric about 0."""

    difference: Interval
    df: int
    t_p: float
    wilcoxon_p: float


def paired_test(arm: np.ndarray, other: np.ndarray) -> PairedTest:
    """Test arm − other, each (seeds, prompts) with the same prompts in the same order. Seeds are averaged within a prompt first.

    `t_p`: two-sided, H0: the mean difference is 0. `wilcoxon_p`: two-sided signed-rank test, H0: the differences are
    symmetric about 0. Wilcoxon's is not a test of the mean: it also rejects skewed differences of mean 0. It is reported beside
    the other and decides nothing. It is NaN if no prompt differs. Raises `ValueError` for arms of different shapes.
    """
    check_values(2, arm, other)
    mine, theirs = arm.mean(0), other.mean(0)
    gaps = mine - theirs
    test = stats.ttest_rel(mine, theirs)
    ranks = stats.wilcoxon(gaps).pvalue if gaps.any() else np.nan
    return PairedTest(mean_interval(gaps), int(test.df), float(test.pvalue), float(ranks))


@dataclass(frozen=True)
class BetweenSeeds:
    """Mean over seeds with Student's 95 % interval, without one-sided bounds, so that no criterion can be judged by it.

    It treats the prompts as fixed. It covers the value of other prompts far less often than 95 % (docs/statistics.md).
    """

    value: float
    low: float
    high: float
    n_seeds: int

    @property
    def label(self) -> str:
        return f"between-seed only, n={self.n_seeds}, df={self.n_seeds - 1}"


def between_seeds(values: np.ndarray) -> BetweenSeeds:
    """Average `values` (seeds,), each of one seed's whole set of prompts. Paired arms: pass the differences. Needs 2 seeds."""
    interval = mean_interval(values)
    return BetweenSeeds(interval.value, interval.low, interval.high, len(values))
