"""The facts of a metric: its name, which way it is better, its input, its digits on a page, its role in criteria."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

# Arrays of a feature file (`pool`, `logits`), embeddings in the image-text space (`image`, `image and text`), or pairs of these.
Needs = Literal["pool", "logits", "image", "image and text", "latents", "pixels"]
# Quantities that a criterion asks for; several formulas may measure one.
Role = Literal["", "Fréchet distance", "KID", "image-text score"]


@dataclass(frozen=True)
class Metric:
    """A formula on arrays. With the network that made the arrays it names a column.

    >>> metric = Metric("kid", "KID", "lower", "", (float("-inf"), float("inf")), "pool", "Binkowski et al., 2018")
    >>> metric.name("effnet")
    'kid_effnet'

    Args:
        key: name of the formula, the beginning of a column.
        title: name for people.
        direction: which is better.
        unit: "" = a pure number.
        range: smallest and largest possible value.
        needs: what the formula takes.
        source: paper or equation.
        unbiased: True if its expectation is the same at every number of images.
        against_real: False if `of_set` takes no real images.
        digits: decimals on a page; None = not on pages, only in the CSV.
        role: the quantity that criteria may judge by this metric; "" = none.
    """

    key: str
    title: str
    direction: Literal["lower", "higher"]
    unit: str
    range: tuple[float, float]
    needs: Needs
    source: str
    unbiased: bool = False
    against_real: bool = True
    digits: int | None = None
    role: Role = ""

    @property
    def in_image_text_space(self) -> bool:
        """True if it takes embeddings of images and captions, not the features of `metrics.extractor`."""
        return self.needs in ("image", "image and text")

    def name(self, network: str = "") -> str:
        """The metric's name in tables: formula and network; without one for a metric of pixels or latents."""
        return f"{self.key}_{network}" if network else self.key


def metrics_of(module: ModuleType) -> tuple[Metric, ...]:
    """Read what a module of this package computes."""
    return module.METRICS if hasattr(module, "METRICS") else (module.METRIC,)


@contextmanager
def errors_named(module: ModuleType, network: str) -> Iterator[None]:
    """Begin what a metric refuses with its name and the network whose features it got."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{module.__name__.split('.')[-1]} of {network} features: {error}") from error


def named(module: ModuleType, value: float | dict[str, float], network: str) -> dict[str, float]:
    """Give what `of_set` of a module returned the names it has in tables."""
    values = value if isinstance(value, dict) else {module.METRIC.key: value}
    return {metric.name(network): values[metric.key] for metric in metrics_of(module)}
