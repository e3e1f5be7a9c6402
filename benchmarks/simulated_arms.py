"""Two paired arms drawn from populations whose truth is known, for `coverage.py`: features, per-prompt distances, latencies.

Prompts have their own effect, seeds are nested in them, and both arms share the prompts and most of the noise, as the pipeline's
arms share initial noise.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

SEEDS = 3


@dataclass(frozen=True)
class FeatureArms:
    """Gaussian features (seeds, prompts, d), both arms away from a fixed reference, the second further."""

    prompts: int
    width: int
    reference: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reference", np.random.default_rng(0).normal(size=(2000, self.width)) * self.scale)

    @property
    def scale(self) -> np.ndarray:
        return np.linspace(1.6, 0.4, self.width)

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        shape = (SEEDS, self.prompts, self.width)
        shared = np.sqrt(0.4) * rng.normal(size=(1, *shape[1:])) + np.sqrt(0.6) * rng.normal(size=shape)
        first, second = (np.sqrt(0.95) * shared + np.sqrt(0.05) * rng.normal(size=shape) for _ in range(2))
        shift = 0.25 * np.cos(np.arange(self.width))
        return 1.1 * self.scale * first + shift, 1.115 * self.scale * second + 1.04 * shift


@dataclass(frozen=True)
class DistanceArms:
    """Log-normal distances (seeds, prompts) of means 1 and 1.05, with the logs' standard deviations and their correlation.

    A share `prompt_share` of a log's variance is the prompt's.
    """

    prompts: int
    sds: tuple[float, float]
    correlation: float
    prompt_share: float = 0.65
    means: tuple[float, float] = (1.0, 1.05)

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        normal = rng.normal(size=(2, 1, self.prompts)) * np.sqrt(self.prompt_share)
        normal = normal + rng.normal(size=(2, SEEDS, self.prompts)) * np.sqrt(1 - self.prompt_share)
        paired = self.correlation * normal[0] + np.sqrt(1 - self.correlation**2) * normal[1]
        first, second = (
            mean * np.exp(sd * x - sd**2 / 2) for mean, sd, x in zip(self.means, self.sds, (normal[0], paired), strict=True)
        )
        return first, second


@dataclass(frozen=True)
class LatencyArms:
    """Seconds (launches, rounds) of a slow and a fast sampler, 1.4 to 1: drift that both share, skewed noise, one round in
    twenty delayed by 30 % on average, and a ratio that differs by 2 % from launch to launch (0 for a single launch's own)."""

    launches: int
    rounds: int
    launch_sd: float
    truth: float = 1.4

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        shape = (self.launches, self.rounds)
        drift = np.cumsum(rng.normal(0, 0.03, size=shape), axis=1)
        noise = rng.gamma(1.0, 0.02, size=(2, *shape)) + (rng.random((2, *shape)) < 0.05) * rng.exponential(0.3, size=(2, *shape))
        layout = rng.normal(0, self.launch_sd, size=(self.launches, 1))
        return self.truth * np.exp(drift + noise[0] + layout), np.exp(drift + noise[1])
