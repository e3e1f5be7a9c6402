"""Intervals for paired arms: the unit is the prompt, seeds are nested in it, arms share prompts and noise."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Interval:
    """A value with its two-sided 95 % interval and its one-sided 95 % bounds: the ends of the 90 % interval, or of the 95 %
    interval where those of the 90 % are wrong more often than they say (`skewed_mean_interval`)."""

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


def skewed_mean_interval(values: np.ndarray) -> Interval:
    """Mean of one value a prompt (n,) that may be heavy-tailed, as distances to the uncached output are. Needs n >= 2.

    Each end is the outer one of Student's interval and of Hall's (1992, J. R. Stat. Soc. B 54), which compares
    g(t) = t + γ t² / (3 √n) + γ² t³ / (27 n) + γ / (6 √n) with Student's quantile, γ the skewness. Alone, the first is too low
    above a long right tail, the second too narrow where a symmetric sample is skewed by accident.

    The one-sided bounds are these ends as well, wrong in up to 5.5 % at 100 prompts or more; the ends of a 90 % interval would be
    in up to 8 % (docs/statistics.md).
    """
    student, error = mean_interval(values), stats.sem(values)
    if error == 0:
        return student
    quantiles = -stats.t.ppf([0.025, 0.975], len(values) - 1)
    centred = values - student.value
    slope = (centred**3).mean() / (centred**2).mean() ** 1.5 / (3 * np.sqrt(len(values)))
    shifted = quantiles - slope / 2
    inverse = (np.cbrt(1 + 3 * slope * shifted) - 1) / slope if abs(slope) > 1e-9 else shifted
    low, high = student.value - error * inverse
    low, high = min(float(low), student.low), max(float(high), student.high)
    return Interval(student.value, low, high, low, high)


def jackknife_interval(value: float, replicates: np.ndarray) -> Interval:
    """Delete-a-group jackknife: `replicates` (G,) are the statistic with each group of prompts left out.

    SE² = (G − 1)/G · Σ (θ_(g) − mean θ_(·))², Student's t with G − 1 degrees of freedom (Kott, 2001, J. Official Statistics 17).
    A percentile bootstrap would add the small-sample bias of a Fréchet distance once more and cover 1 % of the time.
    The error is never too small on average (Efron & Stein, 1981, Annals of Statistics 9); how much too large: docs/statistics.md.
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
    """median(slow) / median(fast) within each unit, and the geometric mean over units: Student's t on the log ratios.

    slow, fast (rounds,): interleaved rounds of one process, each a unit; the interval says nothing of other processes.
    (launches, rounds): the unit is a launch of the process; rounds within one are alike in what a new launch changes.
    Ratios are taken within a unit because a drift of the machine's speed cancels there. Needs at least 2 units. A percentile
    bootstrap covers 73 % at 3 rounds and 88 % at 4 (docs/statistics.md).
    """
    slow, fast = (np.median(x.reshape(len(x), -1), axis=1) for x in (slow, fast))
    logs = mean_interval(np.log(slow / fast))
    return Interval(*(float(np.exp(end)) for end in astuple(logs)))
