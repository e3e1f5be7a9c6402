"""Numbers and headings as a reader of the page wants them; numbers are written as in the tables."""

from __future__ import annotations

import re

from fcr_core.tables.formatting import interval as interval
from fcr_core.tables.formatting import number as number
from fcr_core.tables.formatting import percent as percent
from fcr_core.tables.metric_columns import heading, key_of

VARIANCES = {"feature_variance": "σ²_Δ", "feature_variance_relative": "σ²_Δ over the features' power"}
VARIANCE = re.compile(f"({'|'.join(VARIANCES)})_d(\\d+)")


def plural(count: int, noun: str) -> str:
    """A count of something.

    >>> plural(1, "seed"), plural(3, "seed")
    ('1 seed', '3 seeds')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"


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
