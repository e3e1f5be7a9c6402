"""What a metric is called, which way it is better, and what it needs: read by tables, pages and reports."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """A formula on arrays. With the network that made the arrays it names a column.

    >>> metric = Metric("kid", "KID", "lower", "", (float("-inf"), float("inf")), "pool", "Binkowski et al., 2018")
    >>> metric.name("effnet")
    'kid_effnet'
    """

    key: str
    title: str
    direction: Literal["lower", "higher"]  # which is better
    unit: str  # "" = a pure number
    range: tuple[float, float]
    needs: str  # the array of a feature file ("pool", "logits", "image"), or what else it takes
    source: str
    unbiased: bool = False  # its expectation is the same at every number of images

    def name(self, network: str = "") -> str:
        """The metric's name in tables: formula and network; without one for a metric of pixels or latents."""
        return f"{self.key}_{network}" if network else self.key


def metrics_of(module: ModuleType) -> tuple[Metric, ...]:
    """What a module of this package computes."""
    return module.METRICS if hasattr(module, "METRICS") else (module.METRIC,)


def named(module: ModuleType, value: float | dict[str, float], network: str) -> dict[str, float]:
    """What `of_set` of a module returned, by the names it has in tables."""
    values = value if isinstance(value, dict) else {module.METRIC.key: value}
    return {metric.name(network): values[metric.key] for metric in metrics_of(module)}
