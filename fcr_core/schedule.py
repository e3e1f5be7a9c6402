"""Which sampling steps are key steps, and the groups of steps that reuse each of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class KeySteps:
    """The key steps of a sampling run: indices into `scheduler.timesteps`, never timestep values.

    >>> KeySteps.uniform(15).groups(50)
    [range(0, 15), range(15, 30), range(30, 45), range(45, 50)]
    >>> KeySteps.explicit([0, 1, 2, 5]).groups(8)
    [range(0, 1), range(1, 2), range(2, 5), range(5, 8)]
    """

    stride: int | None = None
    indices: tuple[int, ...] = ()

    @classmethod
    def uniform(cls, stride: int) -> KeySteps:
        """Every `stride`-th step. Raises `ValueError` for a stride below 1."""
        if stride < 1:
            raise ValueError(f"stride must be at least 1, not {stride}")
        return cls(stride=stride)

    @classmethod
    def explicit(cls, indices: list[int]) -> KeySteps:
        """The given steps, for example Faster Diffusion's [0, 1, 2, 3, 5, 10, 15, 25, 35] of 50.

        Raises `ValueError` unless they start at 0 and increase.
        """
        if not indices or indices[0] != 0 or any(a >= b for a, b in pairwise(indices)):
            raise ValueError(f"key steps must start at 0 and increase, not {indices}")
        return cls(indices=tuple(indices))

    def groups(self, steps: int) -> list[range]:
        """The group of each key step in order; together they cover `range(steps)`, and the last may be shorter.

        Raises `ValueError` when the stride or a key step does not fit into `steps`.
        """
        keys = list(range(0, steps, self.stride)) if self.stride else list(self.indices)
        if (self.stride or keys[-1] + 1) > steps:
            raise ValueError(f"key steps {self} do not fit into {steps} sampling steps: use a smaller stride or more steps")
        return [range(start, stop) for start, stop in zip(keys, [*keys[1:], steps], strict=True)]
