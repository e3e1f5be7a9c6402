"""The plan of a cached sampling run: which steps are key steps, and what the steps between them reuse and compute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch

# Key steps that papers give by name, with the number of steps they are made for.
NAMED = {"50ls": (50, (0, 1, 2, 3, 5, 10, 15, 25, 35))}  # Faster Diffusion (Li et al., 2023, arXiv 2312.09608)


@dataclass(frozen=True)
class KeySteps:
    """The key steps of a sampling run: indices into `scheduler.timesteps`, never timestep values.

    >>> KeySteps.uniform(15).groups(50)
    [range(0, 15), range(15, 30), range(30, 45), range(45, 50)]
    >>> KeySteps.uniform(4, warmup=2).groups(8)
    [range(0, 1), range(1, 2), range(2, 6), range(6, 8)]
    >>> KeySteps.explicit([0, 1, 2, 5]).groups(8)
    [range(0, 1), range(1, 2), range(2, 5), range(5, 8)]
    """

    stride: int | None = None
    warmup: int = 0
    indices: tuple[int, ...] = ()
    made_for: int | None = None

    @classmethod
    def uniform(cls, stride: int, warmup: int = 0) -> KeySteps:
        """The first `warmup` steps, then every `stride`-th. Raises `ValueError` for a stride below 1."""
        if stride < 1 or warmup < 0:
            raise ValueError(f"stride must be at least 1 and warmup at least 0, not {stride} and {warmup}")
        return cls(stride=stride, warmup=warmup)

    @classmethod
    def explicit(cls, indices: Sequence[int]) -> KeySteps:
        """The given steps. Raises `ValueError` unless they start at 0 and increase."""
        if not indices or indices[0] != 0 or any(a >= b for a, b in pairwise(indices)):
            raise ValueError(f"key steps must start at 0 and increase, not {indices}")
        return cls(indices=tuple(indices))

    @classmethod
    def named(cls, name: str) -> KeySteps:
        """Key steps of a paper: "50ls" is Faster Diffusion's list for 50 steps. Raises `ValueError` for another name."""
        if name not in NAMED:
            raise ValueError(f"no key steps named {name!r}: choose one of {sorted(NAMED)}")
        steps, indices = NAMED[name]
        return cls(indices=indices, made_for=steps)

    @classmethod
    def calibrated(cls, drift: Sequence[float] | np.ndarray, count: int) -> KeySteps:
        """`count` key steps placed where the features change most: each group spans an equal share of the whole drift.

        `drift` (steps − 1,) is the change of the features from each step to the next (`feature_drift`).

        >>> KeySteps.calibrated([9, 3, 3, 1, 1, 1], 3).indices
        (0, 1, 2)

        Raises `ValueError` unless 1 <= count <= steps.
        """
        steps = len(drift) + 1
        if not 1 <= count <= steps:
            raise ValueError(f"{count} key steps do not fit into {steps} sampling steps")
        travelled = np.concatenate([[0.0], np.cumsum(drift)])
        indices = [0]
        for share in range(1, count):
            reached = int(np.searchsorted(travelled, share / count * travelled[-1]))
            # Room for this key step behind the last one and for the rest before the end.
            indices.append(min(max(reached, indices[-1] + 1), steps - (count - share)))
        return cls(indices=tuple(indices), made_for=steps)

    def groups(self, steps: int) -> list[range]:
        """The group of each key step in order; together they cover `range(steps)`, and the last may be shorter.

        Raises `ValueError` when the stride or a key step does not fit into `steps`, or they were made for another number.
        """
        keys = [*range(min(self.warmup, steps)), *range(self.warmup, steps, self.stride)] if self.stride else [*self.indices]
        if (self.stride or keys[-1] + 1) > steps or self.made_for not in (None, steps):
            raise ValueError(f"key steps {self} do not fit into {steps} sampling steps: use a smaller stride or more steps")
        return [range(start, stop) for start, stop in zip(keys, [*keys[1:], steps], strict=True)]


@dataclass(frozen=True)
class Plan:
    """What the steps of a group compute.

    keys: the key steps. cut: the first up block that runs at every step (0 = the whole decoder). reuse: "hold" the features
    of the key step, or go on "linear"ly from the last two. nodes: how many decoders of a group run, its key step's included;
    the others' predictions are interpolated (None = all run). live: the shallow encoder path runs at every step, as in
    DeepCache.

    Raises `ValueError` for values or combinations that make no sense.
    """

    keys: KeySteps
    cut: int = 0
    reuse: str = "hold"
    nodes: int | None = None
    live: bool = False

    def __post_init__(self) -> None:
        if self.reuse not in ("hold", "linear"):
            raise ValueError(f'reuse must be "hold" or "linear", not {self.reuse!r}')
        if self.nodes is not None and self.nodes < 1:
            raise ValueError(f"nodes must be at least 1 (the key step's own decoder), not {self.nodes}")
        if self.live and self.nodes is not None:
            raise ValueError("live reads the sample of every step, so no decoder can be left out: use nodes=None")

    def decoded(self, group: range) -> list[int]:
        """The steps of a group whose decoder runs: its key step, its last, and evenly between.

        >>> Plan(KeySteps.uniform(10), nodes=3).decoded(range(10, 20))
        [10, 14, 19]
        """
        if self.nodes is None or self.nodes >= len(group):
            return list(group)
        return [group[i] for i in np.linspace(0, len(group) - 1, self.nodes).astype(int)]


def time_variable(scheduler: Any) -> torch.Tensor:
    """The variable in which the scheduler's solver takes its steps, (steps,): λ = −log σ, σ, or the timestep.

    DPM-Solver works in the log-SNR λ (Lu et al., 2022, arXiv 2206.00927), Euler in σ (Karras et al., 2022, arXiv 2206.00364).
    """
    steps = len(scheduler.timesteps)
    if hasattr(scheduler, "lambda_t"):
        return -scheduler.sigmas[:steps].clamp(min=1e-6).log()
    if hasattr(scheduler, "sigmas"):
        return scheduler.sigmas[:steps]
    return scheduler.timesteps.float()
