"""What `EncoderCache` works on. The rest is refused in one line that says what to use instead."""

from __future__ import annotations

import inspect
from typing import Any

from fcr_core.unet.plain_unet import unwrapped


def check_pipeline(pipe: Any) -> None:
    """Raise `ValueError` for a pipeline that cannot be cached."""
    for part in ("unet", "scheduler"):
        if not hasattr(pipe, part):
            raise ValueError(
                f"{type(pipe).__name__} has no .{part}: EncoderCache works on pipelines with a UNet; "
                "for a transformer use the caches of diffusers (transformer.enable_cache)"
            )
    check_unet(unwrapped(pipe.unet))
    check_scheduler(pipe.scheduler)


def check_unet(unet: Any) -> None:
    name = type(unet).__name__
    if not all(hasattr(unet, part) for part in ("conv_in", "down_blocks", "mid_block", "up_blocks")):
        raise ValueError(
            f"{name} has no encoder and decoder blocks: use a UNet of diffusers; "
            "for a transformer use the caches of diffusers (transformer.enable_cache)"
        )
    if "encoder_hidden_states" not in inspect.signature(type(unet).forward).parameters:
        raise ValueError(f"{name} takes no text or image embedding: use a conditional UNet of diffusers")


def check_scheduler(scheduler: Any) -> None:
    if getattr(scheduler, "order", 1) > 1:
        raise ValueError(
            f"{type(scheduler).__name__} calls the UNet {scheduler.order} times a step: "
            "use a scheduler of order 1, such as DDIMScheduler or DPMSolverMultistepScheduler"
        )
