"""Intervals for paired arms: the unit is the prompt, seeds are nested in it, arms share prompts and noise (DESIGN §7)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Interval:
    """A value with its two-sided 95 % interval and its one-sided 95 % bounds (the ends of the 90 % interval)."""

    value: float
    low: float
    high: float
    lower_bound: float
    upper_bound: float


def t_interval(value: float, standard_error: float, df: int) -> Interval:
    """value ± t(df) · standard error; a point when the error is 0."""
    two_sided, one_sided = stats.t.ppf([0.975, 0.95], df) * standard_error
    return Interval(value, value - two_sided, value + two_sided, value - one_sided, value + one_sided)


def mean_interval(values: np.ndarray) -> Interval:
    """Mean of one value a prompt (n,), by Student's t. Paired arms: pass the differences. Needs n >= 2."""
    return t_interval(float(values.mean()), float(stats.sem(values)), len(values) - 1)


def jackknife_interval(value: float, replicates: np.ndarray) -> Interval:
    """Delete-a-group jackknife: `replicates` (G,) are the statistic with each group of prompts left out.

    SE² = (G − 1)/G · Σ (θ_(g) − mean θ_(·))², Student's t with G − 1 degrees of freedom (Kott, 2001, J. Official Statistics 17).
    A percentile bootstrap would add the small-sample bias of a Fréchet distance once more and cover 1 % of the time.
    """
    count = len(replicates)
    error = np.sqrt((count - 1) / count * ((replicates - replicates.mean()) ** 2).sum())
    return t_interval(value, float(error), count - 1)


@dataclass(frozen=True)
class Jackknifed:
    """A statistic of one arm: its value, and its replicates with one group of prompts left out (G,)."""

    value: float
    replicates: np.ndarray

    def interval(self) -> Interval:
        return jackknife_interval(self.value, self.replicates)

    def difference(self, other: Jackknifed) -> Interval:
        """self − other, paired: both replicates leave out the same prompts."""
        return jackknife_interval(self.value - other.value, self.replicates - other.replicates)

    def relative_change(self, other: Jackknifed) -> Interval:
        """self / other − 1, paired."""
        return jackknife_interval(self.value / other.value - 1, self.replicates / other.replicates - 1)


def jackknifed_mean(values: np.ndarray, groups: np.ndarray) -> Jackknifed:
    """Mean of one value a prompt (n,), with the prompts of each group (n,) left out in turn."""
    replicates = [values[groups != group].mean() for group in np.unique(groups)]
    return Jackknifed(float(values.mean()), np.array(replicates))


def ratio_of_medians(slow: np.ndarray, fast: np.ndarray) -> Interval:
    """median(slow) / median(fast) of interleaved repeats (n,), percentile bootstrap over the repeats, seeded."""

    def ratio(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
        return np.median(a, axis=axis) / np.median(b, axis=axis)

    ends = []
    for level in (0.95, 0.90):
        result = stats.bootstrap(
            (slow, fast), ratio, paired=True, confidence_level=level, method="percentile", n_resamples=2000, rng=0
        )
        ends.append(result.confidence_interval)
    return Interval(float(np.median(slow) / np.median(fast)), ends[0].low, ends[0].high, ends[1].low, ends[1].high)
