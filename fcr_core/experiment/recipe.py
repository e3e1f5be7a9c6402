"""A recipe says what a fine-tune does: the terms of its loss, where their pairs come from, and which weights it trains.

No torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fcr_core.caching.plan import KeySteps, Plan

CHOICES: dict[str, tuple[Any, ...]] = {
    "distance": ("mse", "relative", "cosine"),
    "stop_grad": (None, "key", "reuse"),
    "times": ("uniform", "groups"),
    "source": ("noised", "rollout"),
    "trains": ("unet", "lora", "decoder"),
}


# Faster Diffusion at stride 10.
DEFAULT_PLAN = Plan(KeySteps.uniform(10))


@dataclass(frozen=True)
class Recipe:
    """Weights of the terms and how they are formed; the defaults are the control, plain fine-tuning.

    lam: λ of the consistency term, over `blocks` (all but conv_in if empty) by `distance`, no gradient through the pass named by
    `stop_grad`. max_delta: Δ_max in training timesteps, used when `times` are drawn uniformly; with "groups" they are a key step
    and a step of its group. source: pairs share x_0 and ε ("noised") or lie on a trajectory of the base model ("rollout").
    preserve: weight of ‖ε_θ − ε_base‖² at the denoising pass. decoding: weight of the cache-aware term, which decodes a group's
    steps from its key step's features and asks for the base model's predictions there. plan: the cached sampler that groups,
    features and decoding are made for. trains: all weights, LoRA adapters, or a reuse decoder of its own.

    Raises `ValueError` for an unknown choice or a combination that trains nothing.
    """

    denoise: float = 1.0
    lam: float = 0.0
    max_delta: int = 10
    distance: str = "mse"
    blocks: tuple[str, ...] = ()
    stop_grad: str | None = None
    times: str = "uniform"
    source: str = "noised"
    preserve: float = 0.0
    decoding: float = 0.0
    min_snr: float = 0.0
    plan: Plan = DEFAULT_PLAN
    trains: str = "unet"

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"recipe key {name} = {getattr(self, name)!r}: must be one of {list(allowed)}")
        if not any((self.denoise, self.lam, self.preserve, self.decoding)):
            raise ValueError("the recipe trains nothing: give denoise, lam, preserve or decoding a weight above 0")
        if self.trains == "decoder" and (self.denoise or self.lam or self.preserve or not self.decoding):
            raise ValueError("a reuse decoder learns from the term decoding alone: set denoise, lam and preserve to 0")
        if self.plan.keys.stride is None or self.plan.live:
            raise ValueError("a recipe is made for a stride, and not for live: its pairs are of groups of equal length")
        if self.plan.nodes == 1 and self.decoding:
            raise ValueError("recipe key nodes = 1: no step of a group is decoded, so there is nothing to train")
        object.__setattr__(self, "blocks", tuple(self.blocks))  # a list from YAML or JSON

    @classmethod
    def from_config(cls, fields: Mapping[str, Any]) -> Recipe:
        """The recipe of a section of the configuration; the plan's options stand beside the others.

        >>> Recipe.from_config({"lam": 1, "stride": 5, "cut": 2}).plan.name
        'FD-5-cut2'
        """
        own = {key: value for key, value in fields.items() if key not in Plan.options()}
        plan = Plan.from_config(DEFAULT_PLAN.fields | {key: fields[key] for key in fields if key in Plan.options()})
        assert plan is not None
        return cls(**own, plan=plan)

    @property
    def stride(self) -> int:
        """Length of the groups that pairs are drawn from, in sampling steps."""
        assert self.plan.keys.stride is not None
        return self.plan.keys.stride

    @property
    def needs_trajectories(self) -> bool:
        return bool(self.decoding) or (self.source == "rollout" and self.lam > 0)
