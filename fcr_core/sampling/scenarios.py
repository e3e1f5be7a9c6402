"""Scenarios: what a stress changes of a pipeline before it draws. One entry of `OPTIONS` adds one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import lcm
from typing import Any

from fcr_core.backbones.network_facts import STEP


def draw_at(pipe: Any, size: int) -> None:
    """Draw images of `size` pixels a side: the UNet's own size, from which latents and calls follow, is set to it.

    SDXL's pipeline keeps a copy of that size, which its UNet is also told.

    Raises `ValueError` for a size that the pipeline or its VAE cannot have.
    """
    unit = lcm(STEP, pipe.vae_scale_factor)
    if size % unit:
        raise ValueError(f"scenario size = {size}: must be a multiple of {unit}, as the pipeline and its VAE want it")
    pipe.unet.register_to_config(sample_size=size // pipe.vae_scale_factor)
    if hasattr(pipe, "default_sample_size"):
        pipe.default_sample_size = pipe.unet.config.sample_size


# By the keys of an entry of the section `scenarios`; each gets the pipeline and the entry's value.
OPTIONS: dict[str, Callable[[Any, Any], None]] = {"size": draw_at}


def under(pipe: Any, scenario: Mapping[str, Any]) -> Any:
    """The pipeline with everything changed that the scenario's options say; `{}` is clean."""
    for option, value in scenario.items():
        OPTIONS[option](pipe, value)
    return pipe
