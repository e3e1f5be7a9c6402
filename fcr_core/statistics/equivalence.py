"""Claims "no worse than by this margin" about two arms on the same prompts: one-sided tests, and the ratio of two means."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import stats

from fcr_core.statistics.intervals import Interval

Direction = Literal["at most", "at least"]
Scale = Literal["difference", "ratio"]


def non_inferiority_p(arm: np.ndarray, other: np.ndarray, margin: float, direction: Direction, scale: Scale) -> float:
    """One-sided p of H0: "arm − other (or arm/other − 1) is `direction` `margin`" is false. Values a prompt (n,), paired.

    On the ratio scale the claim is one about mean(arm) − (1 + margin) · mean(other), a mean of paired values; mean(other) > 0.
    p <= 0.05 where, and only where, the one-sided 95 % bound (`mean_interval` of the differences, or
    `ratio_of_means`) is inside the margin. For heavy-tailed values both err more often than 5 %: judge the bounds of
    `skewed_mean_interval` of the differences, or of arm − (1 + margin) · other, instead (docs/statistics.md).
    """
    contrast = arm - other - margin if scale == "difference" else arm - (1 + margin) * other
    alternative = "less" if direction == "at most" else "greater"
    return float(stats.ttest_1samp(contrast, 0, alternative=alternative).pvalue)


def ratio_of_means(arm: np.ndarray, other: np.ndarray) -> Interval:
    """mean(arm) / mean(other) − 1 of values a prompt (n,), paired, with Fieller's interval (1954, J. R. Stat. Soc. B 16).

    Raises ValueError where mean(other) is not clearly above 0: then no ratio is bounded.
    """
    low, high = fieller_ends(arm, other, 0.975)
    lower, upper = fieller_ends(arm, other, 0.95)
    return Interval(float(arm.mean() / other.mean() - 1), low, high, lower, upper)


def fieller_ends(arm: np.ndarray, other: np.ndarray, level: float) -> tuple[float, float]:
    """The ratios ρ − 1 at which |mean(arm − ρ · other)| is t(n − 1) standard errors: roots of a quadratic in ρ."""
    n = len(arm)
    spread = stats.t.ppf(level, n - 1) ** 2 / n * np.cov(arm, other)
    square, cross, rest = (
        other.mean() ** 2 - spread[1, 1],
        arm.mean() * other.mean() - spread[0, 1],
        arm.mean() ** 2 - spread[0, 0],
    )
    if square <= 0 or other.mean() <= 0:
        raise ValueError(f"the other arm's mean {other.mean():.3g} is not clearly above 0: compare differences, not ratios")
    width = np.sqrt(max(cross**2 - square * rest, 0.0))
    return float((cross - width) / square - 1), float((cross + width) / square - 1)
