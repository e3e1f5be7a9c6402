"""Intervals for paired arms: the unit is the prompt, seeds are nested in it, arms share prompts and noise."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from scipy import stats

from fcr_core.statistics.values import check_values


@dataclass(frozen=True)
class Interval:
    """A value with its two-sided 95 % interval and its one-sided 95 % bounds.

    The bounds are the ends of the 90 % interval. `skewed_mean_interval` takes those of the 95 % interval, because there the ends
    of the 90 % interval are wrong too often.
    """

    value: float
    low: float
    high: float
    lower_bound: float
    upper_bound: float


def t_interval(value: float, standard_error: float, df: int) -> Interval:
    """Compute value ± t(df) · standard error; a point if the error is 0."""
    two_sided, one_sided = stats.t.ppf([0.975, 0.95], df) * standard_error
    return Interval(value, value - two_sided, value + two_sided, value - one_sided, value + one_sided)


def mean_interval(values: np.ndarray) -> Interval:
    """Estimate the mean of one value a prompt (n,) by Student's t. For paired arms, pass the differences.

    Raises `ValueError` unless n >= 2 and all values are finite, as the functions below do that use it.
    """
    check_values(2, values)
    return t_interval(float(values.mean()), float(stats.sem(values)), len(values) - 1)


def skewed_mean_interval(values: np.ndarray) -> Interval:
    """Estimate the mean of one value a prompt (n,) that may be heavy-tailed, as distances to the uncached output are.

    Each end is the outer one of Student's interval and of Hall's (1992, J. R. Stat. Soc. B 54). Hall compares
    g(t) = t + γ t² / (3 √n) + γ² t³ / (27 n) + γ / (6 √n), γ the skewness, with Student's quantile. Student's upper end alone is
    too low for a long right tail; Hall's interval alone is too narrow when a symmetric sample is skewed by accident.

    The one-sided bounds are the same ends. They are wrong in up to 5.5 % of cases at 100 prompts or more; the ends of a 90 %
    interval would be wrong in up to 8 % (docs/statistics.md). Needs n >= 2.
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
    """Compute the delete-a-group jackknife; `replicates` (G,) hold the statistic with each group of prompts left out.

    SE² = (G − 1)/G · Σ (θ_(g) − mean θ_(·))², Student's t with G − 1 degrees of freedom (Kott, 2001, J. Official Statistics 17).
    A percentile bootstrap would add the small-sample bias of a Fréchet distance a second time, and cover 1 % of the time.
    On average the error is never too small (Efron & Stein, 1981, Annals of Statistics 9); docs/statistics.md measures its excess.

    Raises `ValueError` unless G >= 2 and all replicates are finite.
    """
    check_values(2, replicates)
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
        """Compute self − other, paired: both replicates leave out the same prompts."""
        return jackknife_interval(self.value - other.value, self.replicates - other.replicates)

    def relative_change(self, other: Jackknifed) -> Interval:
        """Compute self / other − 1, paired."""
        return jackknife_interval(self.value / other.value - 1, self.replicates / other.replicates - 1)


def jackknifed_mean(values: np.ndarray, groups: np.ndarray) -> Jackknifed:
    """Average one value a prompt (n,), and again with the prompts of each group (n,) left out in turn."""
    replicates = [values[groups != group].mean() for group in np.unique(groups)]
    return Jackknifed(float(values.mean()), np.array(replicates))


def ratio_of_medians(slow: np.ndarray, fast: np.ndarray) -> Interval:
    """Take median(slow) / median(fast) within each unit, and the geometric mean over units, by Student's t on the log ratios.

    Arrays (rounds,): interleaved rounds of one process, each a unit; the interval says nothing about other processes.
    Arrays (launches, rounds): each launch of the process is a unit, because its rounds share what changes with a new launch.
    A drift of the machine's speed cancels within a unit. Needs at least 2 units. A percentile bootstrap covers only 73 % at
    3 rounds and 88 % at 4 (docs/statistics.md).
    """
    slow, fast = (np.median(x.reshape(len(x), -1), axis=1) for x in (slow, fast))
    logs = mean_interval(np.log(slow / fast))
    return Interval(*(float(np.exp(end)) for end in astuple(logs)))
