"""A way of sampling: solver, steps, guidance, and the plan by which it is cached. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fcr_core.caching.plan import KeySteps, Plan


@dataclass(frozen=True)
class Solver:
    """One entry adds a solver: its name in tables, for rows with a number of steps, and the scheduler of diffusers behind it.

    `most_steps`: what its scheduler allows, if that is less than the timesteps of training.
    """

    title: str
    row: str
    scheduler: str
    options: tuple[tuple[str, Any], ...] = ()
    most_steps: int | None = None


# Each calls the model once a step. Options that a pipeline's scheduler config does not give.
SOLVERS = {
    "ddim": Solver("DDIM", "DDIM-{}", "DDIMScheduler"),
    "dpm++": Solver("DPM++", "DPM++{}", "DPMSolverMultistepScheduler", (("algorithm_type", "dpmsolver++"),)),
    # For models distilled to few steps (Luo et al., 2023, arXiv 2310.04378): it adds noise at each of them.
    "lcm": Solver("LCM", "LCM-{}", "LCMScheduler", most_steps=50),
    "euler": Solver("Euler", "Euler-{}", "EulerDiscreteScheduler"),
    "deis": Solver("DEIS", "DEIS-{}", "DEISMultistepScheduler"),
    "unipc": Solver("UniPC", "UniPC-{}", "UniPCMultistepScheduler"),
}


@dataclass(frozen=True)
class Sampler:
    """How images are drawn.

    Args:
        name: unique among samplers; what differs from Faster Diffusion at the default solver and steps is named.
        scheduler: a key of `SOLVERS`.
        steps: number of sampling steps.
        guidance: scale of classifier-free guidance; 1 = none.
        plan: how the run is cached; None = every step runs the whole UNet.

    >>> Sampler.from_config({"stride": 5, "cut": 2}, {"scheduler": "ddim", "steps": 50, "guidance": 3.0}).name
    'FD-5-cut2'
    >>> Sampler.from_config({"scheduler": "dpm++", "steps": 20}, {"scheduler": "ddim", "steps": 50, "guidance": 3.0}).name
    'DPM++20'
    """

    name: str
    scheduler: str
    steps: int
    guidance: float
    plan: Plan | None = None

    @classmethod
    def from_config(cls, row: Mapping[str, Any], defaults: Mapping[str, Any]) -> Sampler:
        """The sampler of a row of the configuration; `defaults` are those of its section `sampling`, for the row's backbone.

        Raises `ValueError` for a plan that makes no sense or does not fit into the steps, or an unknown solver.
        """
        scheduler, steps = row.get("scheduler", defaults["scheduler"]), row.get("steps", defaults["steps"])
        guidance = row.get("guidance", defaults["guidance"])
        if scheduler not in SOLVERS:
            raise ValueError(f"scheduler = {scheduler!r}: must be one of {sorted(SOLVERS)}")
        plan = Plan.from_config(row)
        if plan is not None and max(plan.keys.stride or 0, plan.keys.count or 0) > steps:
            raise ValueError(f"{' = '.join(map(str, *plan.keys.fields.items()))}: must be at most the sampling steps, {steps}")
        if plan is not None and plan.keys.indices:
            plan.keys.groups(steps)
        solver = "" if (scheduler, steps) == (defaults["scheduler"], defaults["steps"]) else SOLVERS[scheduler].row.format(steps)
        parts = [solver, plan.name if plan else "" if solver else f"uncached-{steps}"]
        scale = f"g{guidance:g}" if guidance != defaults["guidance"] else ""
        return cls("-".join(filter(None, [*parts, scale])), scheduler, steps, float(guidance), plan)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Sampler:
        """Read what `json` wrote."""
        plan = fields.get("plan")
        return cls(**{**fields, "plan": Plan.from_config(plan) if plan else None})

    @property
    def json(self) -> dict[str, Any]:
        """For command lines and files."""
        plan = {"plan": self.plan.fields} if self.plan else {}
        return {"name": self.name, "scheduler": self.scheduler, "steps": self.steps, "guidance": self.guidance} | plan

    @property
    def cached(self) -> bool:
        return self.plan is not None

    @property
    def wants_keys(self) -> bool:
        """True if a search has still to place its key steps."""
        return self.plan is not None and self.plan.keys.count is not None

    def with_keys(self, indices: list[int] | tuple[int, ...]) -> Sampler:
        """The sampler with the key steps that a search has placed."""
        assert self.plan is not None
        return replace(self, plan=replace(self.plan, keys=KeySteps.explicit(indices)))
