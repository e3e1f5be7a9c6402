"""Tests of "no worse than by this margin" for two arms on the same prompts, and the ratio of two means."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import stats

from fcr_core.statistics.intervals import Interval
from fcr_core.statistics.values import check_values

Direction = Literal["at most", "at least"]
Scale = Literal["difference", "ratio"]


def non_inferiority_p(arm: np.ndarray, other: np.ndarray, margin: float, direction: Direction, scale: Scale) -> float:
    """Test the claim "arm − other (or arm/other − 1) is `direction` `margin`"; a small p supports it.

    Values are one a prompt (n,), paired; p is one-sided. On the ratio scale the test takes a mean of paired values,
    mean(arm) − (1 + margin) · mean(other); it needs mean(other) > 0. p <= 0.05 exactly if the one-sided 95 % bound of
    `mean_interval` of the differences, or of `ratio_of_means`, is inside the margin. For heavy-tailed values both are wrong more
    often than in 5 %: use the bounds of `skewed_mean_interval` of the differences, or of arm − (1 + margin) · other
    (docs/statistics.md). Raises `ValueError` for arms of different shapes.
    """
    check_values(2, arm, other)
    contrast = arm - other - margin if scale == "difference" else arm - (1 + margin) * other
    alternative = "less" if direction == "at most" else "greater"
    return float(stats.ttest_1samp(contrast, 0, alternative=alternative).pvalue)


def ratio_of_means(arm: np.ndarray, other: np.ndarray) -> Interval:
    """Compute mean(arm) / mean(other) − 1 of paired values (n,), one a prompt, with Fieller's interval.

    Fieller, 1954, J. R. Stat. Soc. B 16. Raises `ValueError` if mean(other) is not clearly above 0: then the ratio has no bounds.
    """
    check_values(2, arm, other)
    low, high = fieller_ends(arm, other, 0.975)
    lower, upper = fieller_ends(arm, other, 0.95)
    return Interval(float(arm.mean() / other.mean() - 1), low, high, lower, upper)


def fieller_ends(arm: np.ndarray, other: np.ndarray, level: float) -> tuple[float, float]:
    """Solve for the ratios ρ − 1 at which |mean(arm − ρ · other)| is t(n − 1) standard errors: a quadratic in ρ."""
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
