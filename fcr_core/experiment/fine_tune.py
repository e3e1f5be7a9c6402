"""The fine-tunes of a configuration: one a λ of the plan, and those of the section `recipes`. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fcr_core.backbones.published_configs import NOISE_SCHEDULE
from fcr_core.experiment.backbone_settings import BackboneSettings
from fcr_core.experiment.recipe import Recipe

# Of the noise schedules of Stable Diffusion and of the pocket backbone.
TIMESTEPS: int = NOISE_SCHEDULE["num_train_timesteps"]
# What says how long and how fast a fine-tune trains, beside the fields of its recipe; `finetune` has the defaults.
VALIDATION = ("validate_every", "patience")
TRAINING = (
    "steps", "batch", "accumulate", "lr", "cooldown", "ema", "precision", "optimizer", "gradient_checkpointing", "lora_rank",
    "checkpoint_every", *VALIDATION,
)  # fmt: skip


@dataclass(frozen=True)
class FineTune:
    """One fine-tune.

    Args:
        name: of its folder.
        label: how rows name it.
        recipe: the fields of `Recipe`, as a configuration and a command line write them.
        training: how long and how fast it trains.
    """

    name: str
    label: str
    recipe: dict[str, Any]
    training: dict[str, Any]

    @classmethod
    def of_lambda(cls, config: Mapping[str, Any], lam: float, backbone: str) -> FineTune:
        """The plan's fine-tune at this λ."""
        section, in_steps = training_section(config, backbone), config["finetune"]["delta_unit"] == "sampling_steps"
        times = BackboneSettings.from_config(config, backbone).facts.train_timesteps if in_steps else TIMESTEPS
        plan = {"lam": lam, "max_delta": max_delta_in_train_steps(config, times), "distance": section["distance"]}
        shared = {key: section[key] for key in TRAINING if key in section}
        return cls(lambda_recipe(lam), f"FCR({lambda_name(lam)})", plan, shared)

    @classmethod
    def of_recipe(cls, config: Mapping[str, Any], name: str, backbone: str) -> FineTune:
        """A recipe of the section `recipes`. Raises `KeyError` for a name that is not in it."""
        recipe, section = config["recipes"][name], training_section(config, backbone)
        fields = {key: value for key, value in recipe.items() if key not in TRAINING}
        return cls(name, name, fields, {key: (section | recipe)[key] for key in TRAINING if key in section or key in recipe})

    @property
    def parsed(self) -> Recipe:
        """Raises `ValueError` for a recipe that makes no sense."""
        return Recipe.from_config(self.recipe)

    @property
    def own_decoder(self) -> bool:
        """It trains a decoder for the steps between key steps, and nothing else."""
        return self.recipe.get("trains") == "decoder"

    @property
    def validated(self) -> bool:
        """A mini-validation may stop it early."""
        return 0 < self.training.get("validate_every", 0) <= self.training["steps"]

    @property
    def arguments(self) -> list[str]:
        """All of its training that the result depends on, for the command line: `--lr=1e-05 --lora-rank=8 ...`."""
        left_out = {"checkpoint_every", *(() if self.validated else VALIDATION)}
        return [argument(key.replace("_", "-"), value) for key, value in self.training.items() if key not in left_out]


def training_section(config: Mapping[str, Any], backbone: str) -> dict[str, Any]:
    """The section `finetune` with what the backbone's entry overrides."""
    return config["finetune"] | config["backbones"][backbone].get("finetune", {})


def lambda_recipe(lam: float) -> str:
    """The name of the plan's fine-tune at this λ.

    >>> lambda_recipe(0.1), lambda_recipe(0)
    ('lambda0.10', 'lambda0')
    """
    return f"lambda{lambda_name(lam)}"


def lambda_name(lam: float) -> str:
    """0 -> "0", 0.1 -> "0.10", 0.125 -> "0.125": as the literature writes it, one name a value."""
    if lam == 0:
        return "0"
    return f"{lam:.2f}" if round(lam, 2) == lam else f"{lam:g}"


def argument(name: str, value: Any) -> str:
    """
    >>> argument("steps", 40), argument("gradient-checkpointing", False)
    ('--steps=40', '--no-gradient-checkpointing')
    """
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no-{name}"
    return f"--{name}={value}"


def max_delta_in_train_steps(config: Mapping[str, Any], num_train_timesteps: int = TIMESTEPS) -> int:
    """Δ_max of the section `finetune` in training timesteps, whatever its unit."""
    finetune = config["finetune"]
    if finetune["delta_unit"] == "sampling_steps":
        return finetune["max_delta"] * num_train_timesteps // config["sampling"]["steps"]
    return finetune["max_delta"]
