"""Stop a training early: when the moving average of a mini-validation distance no longer falls."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch


@dataclass
class EarlyStopping:
    """Decide when to stop, and keep the weights of the best moving average.

    The training stops once the mean of the last `window` distances has not fallen for `patience` validations in a row.

    Args:
        measure: returns a distance; smaller is better.
        every: steps between two measurements.
    """

    measure: Callable[[], float]
    every: int
    window: int = 3
    patience: int = 3
    values: list[float] = field(default_factory=list)
    averages: list[float] = field(default_factory=list)
    best: list[torch.Tensor] = field(default_factory=list)

    @property
    def stopped(self) -> bool:
        """True once the best moving average is `patience` or more validations old."""
        best = min(range(len(self.averages)), key=self.averages.__getitem__, default=0)
        return len(self.averages) - 1 - best >= self.patience

    def update(self, parameters: Iterable[torch.Tensor]) -> float:
        """Measure once and return the moving average. Keep `parameters` if it is the best so far."""
        self.values.append(self.measure())
        recent = self.values[-self.window :]
        average = sum(recent) / len(recent)
        if average < min(self.averages, default=float("inf")):
            self.best = [parameter.detach().clone() for parameter in parameters]
        self.averages.append(average)
        return average

    @torch.no_grad()
    def restore(self, parameters: Iterable[torch.Tensor]) -> None:
        """Copy the best weights into `parameters`, if there was a validation."""
        for parameter, best in zip(parameters, self.best, strict=False):
            parameter.copy_(best)

    def state_dict(self) -> dict[str, Any]:
        return {"values": self.values, "averages": self.averages, "best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.values, self.averages, self.best = state["values"], state["averages"], state["best"]
