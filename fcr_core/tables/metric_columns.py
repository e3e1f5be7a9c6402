"""Columns of metrics: which formula, which network, and how a person calls it."""

from __future__ import annotations

import re

from fcr_core.features.registry import network_title
from fcr_core.metrics.metric import Metric
from fcr_core.metrics.registry import METRICS

ARROWS = {"lower": "↓", "higher": "↑"}


def describe(column: str) -> Metric:
    """Look up the metric of a column `key`, `key_network`, or either with `_own` or `_base`.

    >>> describe("frechet_pca64_effnet").title
    'Fréchet PCA-64'
    >>> describe("latent_mse_own").unit
    'latent variance'

    Raises `ValueError` if no metric has that name. Networks are those of `fcr_core.features.registry`.
    """
    key = key_of(column)
    if key is None:
        raise ValueError(f"column {column}: no metric of fcr_core.metrics.registry has this name; it knows {', '.join(METRICS)}")
    return METRICS[key]


def key_of(column: str) -> str | None:
    """Read the formula off a column; None for a column of no metric.

    >>> key_of("kid_effnet"), key_of("variation")
    ('kid', None)
    """
    name = re.sub("_(own|base)$", "", column)
    key, _, network = name.rpartition("_")
    if name in METRICS:
        return name
    return key if key in METRICS and network_title(network) else None


def label(column: str) -> str:
    """Write title, network and twin of a column for people.

    >>> label("kid_effnet"), label("st_lpips_alex_own")
    ('KID (EfficientNet-lite0)', 'ST-LPIPS (AlexNet) to own uncached')
    """
    metric, name = describe(column), re.sub("_(own|base)$", "", column)
    network = network_title(name.rpartition("_")[2]) if name != metric.key else None
    twin = re.search("_(own|base)$", column)
    shown = f"{metric.title} ({network})" if network else metric.title
    return f"{shown} to {twin[1]} uncached" if twin else shown


def heading(column: str) -> tuple[str, int | None]:
    """Write a metric's label with an arrow that points to where it is better; also its digits on pages.

    >>> heading("kid_effnet")
    ('KID (EfficientNet-lite0) ↓', 4)
    """
    metric = describe(column)
    return f"{label(column)} {ARROWS[metric.direction]}", metric.digits
