"""Numbers as a reader wants them: signs, units and as many digits as they have."""

from __future__ import annotations

import math
import re

from fcr_core.metrics.registry import key_of
from fcr_core.tables.markdown import heading

VARIANCES = {"feature_variance": "σ²_Δ", "feature_variance_relative": "σ²_Δ over the features' power"}
VARIANCE = re.compile(f"({'|'.join(VARIANCES)})_d(\\d+)")


def number(value: float, digits: int | None = None) -> str:
    """Fixed digits, or four significant ones; with a real minus sign.

    >>> number(-0.25, 1), number(0.000438123)
    ('−0.2', '0.0004381')
    """
    return (f"{value:.4g}" if digits is None else f"{value:.{digits}f}").replace("-", "−")


def percent(value: float) -> str:
    r"""With a space that does not break.

    >>> percent(-0.0581)
    '−5.8\xa0%'
    """
    return f"{100 * value:+.1f}\xa0%".replace("-", "−")


def plural(count: int, noun: str) -> str:
    """A count of something.

    >>> plural(1, "seed"), plural(3, "seed")
    ('1 seed', '3 seeds')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"


def interval(value: float, low: float, high: float, digits: int | None = None) -> str:
    """`1.23 [1.10, 1.36]`; a point alone when the interval has no width, or there is none."""
    if low == high or math.isnan(low):
        return number(value, digits)
    return f"{number(value, digits)} [{number(low, digits)}, {number(high, digits)}]"


def heading_of(metric: str) -> tuple[str, int | None]:
    """Heading with the direction's arrow, and digits; what is no metric has its own name."""
    if found := VARIANCE.fullmatch(metric):
        return f"{VARIANCES[found[1]]}, Δ = {found[2]} ↓", None
    return heading(metric) if key_of(metric) else (metric.replace("_", " "), None)


def undirected(heading: str) -> str:
    """The heading without its arrow.

    >>> undirected("LiT score ↑")
    'LiT score'
    """
    return heading.rstrip(" ↓↑")
