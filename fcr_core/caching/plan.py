"""The plan of a cached sampling run: which steps are key steps, and what the steps between them reuse and compute. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any

import numpy as np


def whole_number(name: str, value: Any, least: int) -> int:
    """Return an option as an `int`. Raises `ValueError` unless it is a whole number of at least `least`."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
        raise ValueError(f"{name} must be at least {least} and a whole number, not {value!r}")
    return int(value)


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
    count: int | None = None

    @classmethod
    def uniform(cls, stride: int, warmup: int = 0) -> KeySteps:
        """The first `warmup` steps, then every `stride`-th. Raises `ValueError` for a stride below 1."""
        return cls(stride=whole_number("stride", stride, 1), warmup=whole_number("warmup", warmup, 0))

    @classmethod
    def explicit(cls, indices: Sequence[int]) -> KeySteps:
        """The given steps. Raises `ValueError` unless they are whole numbers, start at 0 and increase."""
        steps = tuple(whole_number(f"a key step of {list(indices)}", step, 0) for step in indices)
        if not steps or steps[0] != 0 or any(a >= b for a, b in pairwise(steps)):
            raise ValueError(f"key steps must start at 0 and increase, not {list(indices)}")
        return cls(indices=steps)

    @classmethod
    def named(cls, name: str) -> KeySteps:
        """Key steps of a paper: "50ls" is Faster Diffusion's list for 50 steps. Raises `ValueError` for another name."""
        if name not in NAMED:
            raise ValueError(f"no key steps named {name!r}: choose one of {sorted(NAMED)}")
        steps, indices = NAMED[name]
        return cls(indices=indices, made_for=steps)

    @classmethod
    def chosen(cls, count: int) -> KeySteps:
        """`count` key steps that a search has still to place (`fcr_core.caching.key_search`)."""
        return cls(count=whole_number("the number of key steps to choose", count, 2))

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

    @classmethod
    def of(cls, keys: Any) -> KeySteps:
        """Key steps as a configuration or a call writes them.

        >>> KeySteps.of(10), KeySteps.of("50ls").made_for, KeySteps.of([0, 4]).indices, KeySteps.of({"at": [0, 4]}).indices
        (KeySteps(stride=None, warmup=0, indices=(), made_for=None, count=10), 50, (0, 4), (0, 4))

        A number is how many to choose, text a name, a list (or `{at: list}`) the steps themselves. Raises `ValueError` for
        anything else.
        """
        if isinstance(keys, KeySteps):
            return keys
        if isinstance(keys, str):
            return cls.named(keys)
        if isinstance(keys, int) and not isinstance(keys, bool):
            return cls.chosen(keys)
        listed = keys.get("at") if isinstance(keys, Mapping) else keys
        if not isinstance(listed, list | tuple):
            raise ValueError(f"key steps must be a number, a name, or a list such as [0, 5, 10], not {keys!r}")
        return cls.explicit(listed)

    @property
    def fields(self) -> dict[str, Any]:
        """How a configuration writes them: `{"stride": 10}`, `{"keys": 10}`, `{"keys": "50ls"}`, `{"keys": {"at": [0, 4]}}`."""
        if self.stride is not None:
            return {"stride": self.stride} | ({"warmup": self.warmup} if self.warmup else {})
        return {"keys": self.count or self._published_name or {"at": list(self.indices)}}

    @property
    def name(self) -> str:
        """As row names have it: `10` for a stride, `10keys` for chosen ones, `50ls`, `keys0.4.8`."""
        if self.stride is not None:
            return f"{self.stride}" + (f"-warmup{self.warmup}" if self.warmup else "")
        return f"{self.count}keys" if self.count else self._published_name or "keys" + ".".join(map(str, self.indices))

    @property
    def _published_name(self) -> str | None:
        return next((name for name, known in NAMED.items() if known == (self.made_for, self.indices)), None)

    def groups(self, steps: int, repeated: int = 0) -> list[range]:
        """The group of each key step in order; together they cover `range(steps)`, and the last may be shorter.

        `repeated`: the call that evaluates a step a second time, as PNDM does, which makes 51 calls for 50 steps. Key steps that
        were made for 50 steps then mean these.

        >>> KeySteps.named("50ls").groups(51, repeated=2)[:4]
        [range(0, 1), range(1, 3), range(3, 4), range(4, 6)]

        Raises `ValueError` when the stride or a key step does not fit into `steps`, they were made for another number, or they
        have still to be chosen.
        """
        if self.count:
            raise ValueError(f"{self.count} key steps have still to be chosen: search for them first")
        if repeated > 0 and self.made_for == steps - 1:
            return KeySteps(indices=tuple(step + (step >= repeated) for step in self.indices)).groups(steps)
        if self.made_for not in (None, steps):
            made_for = f"{self.made_for} sampling steps"
            raise ValueError(f"key steps for {made_for} do not fit into {steps} calls of the UNet: sample with {made_for}")
        keys = [*range(min(self.warmup, steps)), *range(self.warmup, steps, self.stride)] if self.stride else [*self.indices]
        if self.stride and self.stride > steps:
            raise ValueError(
                f"key steps with stride {self.stride} do not fit into {steps} sampling steps: use a smaller stride or more steps"
            )
        if keys[-1] >= steps:
            raise ValueError(f"key steps {keys} do not fit into {steps} sampling steps: the last may be {steps - 1}")
        return [range(start, stop) for start, stop in zip(keys, [*keys[1:], steps], strict=True)]


@dataclass(frozen=True)
class Plan:
    """The computation of each step of a group. A new option of the cached sampler is a field here and a line in the schema.

    Args:
        keys: the key steps.
        cut: the first up block that runs at every step; 0 = the whole decoder.
        reuse: "hold" the features of the key step, or go on "linear"ly from the last two.
        nodes: how many decoders of a group run, its key step's included; the other predictions are interpolated. None = all.
        live: the shallow encoder path runs at every step, as in DeepCache (arXiv 2312.00858).
        prior_noise: this share of the initial noise is added to the sample in the second half of the timesteps (0.003 in
            Faster Diffusion).

    `name` in a field's metadata is its part of a row's name, when it is not at its default.

    Raises `ValueError` for values or combinations that make no sense.
    """

    keys: KeySteps
    cut: int = field(default=0, metadata={"name": "cut{}"})
    reuse: str = field(default="hold", metadata={"name": "{}"})
    nodes: int | None = field(default=None, metadata={"name": "nodes{}"})
    live: bool = field(default=False, metadata={"name": ""})
    prior_noise: float = field(default=0.0, metadata={"name": "noise{}"})

    def __post_init__(self) -> None:
        whole_number("cut", self.cut, 0)
        if self.reuse not in ("hold", "linear"):
            raise ValueError(f'reuse must be "hold" or "linear", not {self.reuse!r}')
        if self.nodes is not None:
            whole_number("nodes", self.nodes, 1)
        if not isinstance(self.live, bool):
            raise ValueError(f"live must be True or False, not {self.live!r}")
        if isinstance(self.prior_noise, bool | str) or not 0 <= self.prior_noise < 1:
            raise ValueError(f"prior_noise must be a share from 0 to below 1, not {self.prior_noise!r}")
        if self.live and self.nodes is not None:
            raise ValueError("live reads the sample of every step, so no decoder can be left out: use nodes=None")

    @classmethod
    def options(cls) -> tuple[str, ...]:
        """The keys of a configuration that say a plan."""
        return ("stride", "warmup", "keys", *(option.name for option in fields(cls) if option.name != "keys"))

    @classmethod
    def from_config(cls, given: Mapping[str, Any]) -> Plan | None:
        """The plan that a row of the configuration says; None if it has neither a stride nor key steps.

        >>> Plan.from_config({"stride": 5, "cut": 2, "scheduler": "ddim"}).name
        'FD-5-cut2'

        Keys that are no option of a plan are ignored. Raises `ValueError` for a plan that makes no sense.
        """
        own = {key: given[key] for key in cls.options() if key in given}
        stride, warmup, keys = (own.pop(key, None) for key in ("stride", "warmup", "keys"))
        if stride is None and keys is None:
            if own or warmup:
                raise ValueError(f"{', '.join(own or ['warmup'])}: a cached sampler needs a stride or key steps (keys)")
            return None
        if stride is not None and keys is not None:
            raise ValueError("give either a stride or key steps (keys), not both")
        return cls(KeySteps.of(keys) if stride is None else KeySteps.uniform(stride, warmup or 0), **own)

    @classmethod
    def given(cls, keys: Any = None, stride: Any = None, **options: Any) -> Plan:
        """The plan that a call says by its arguments: key steps or a stride, and the other fields; or a plan itself.

        >>> Plan.given(stride=5, cut=2, reuse="linear").name
        'FD-5-cut2-linear'

        Raises `ValueError` for an argument that is missing, doubled or unknown.
        """
        others = [option.name for option in fields(cls) if option.name != "keys"]
        if unknown := sorted(options.keys() - set(others)):
            raise ValueError(f"a plan has no option {', '.join(unknown)}: it has stride or keys, and {', '.join(others)}")
        if (keys is None) == (stride is None):
            raise ValueError("give either key steps or a stride, such as stride=10")
        if isinstance(keys, cls):
            if options:
                raise ValueError(f"a Plan says {', '.join(options)} itself: give it there")
            return keys
        steps = KeySteps.of(keys) if stride is None else KeySteps.uniform(stride)
        if steps.count:
            raise ValueError(f"give a stride (stride={steps.count}) or the key steps themselves ([0, 5, 10]), not their number")
        return cls(steps, **options)

    @property
    def fields(self) -> dict[str, Any]:
        """The plan as a configuration or a command line writes it: `Plan.from_config(plan.fields) == plan`."""
        return self.keys.fields | {name: getattr(self, name) for name in self._changed}

    @property
    def name(self) -> str:
        """As the literature names it: `FD-10`, `FD-5-cut2-linear`, `FD-10keys`, `DeepCache-5-cut1`."""
        names = {option.name: option.metadata.get("name", option.name + "{}") for option in fields(self)}
        parts = [names[option].format(getattr(self, option)) for option in self._changed]
        return "-".join(["DeepCache" if self.live else "FD", self.keys.name, *filter(None, parts)])

    @property
    def _changed(self) -> list[str]:
        """The options that are not at their defaults."""
        return [o.name for o in fields(self) if o.name != "keys" and getattr(self, o.name) != o.default]

    def decoded(self, group: range) -> list[int]:
        """The steps of a group whose decoder runs: its key step, its last, and evenly between.

        >>> Plan(KeySteps.uniform(10), nodes=3).decoded(range(10, 20))
        [10, 14, 19]
        """
        if self.nodes is None or self.nodes >= len(group):
            return list(group)
        return [group[i] for i in np.linspace(0, len(group) - 1, self.nodes).astype(int)]
