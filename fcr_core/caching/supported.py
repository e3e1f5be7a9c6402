"""What `EncoderCache` works on. The rest is refused in one line that says what to use instead."""

from __future__ import annotations

from typing import Any

from fcr_core.unet.call_check import check_reads_text
from fcr_core.unet.plain_unet import plain_unet


def check_pipeline(pipe: Any) -> None:
    """Raise `ValueError` for a pipeline that cannot be cached."""
    for part in ("unet", "scheduler"):
        if not hasattr(pipe, part):
            raise ValueError(
                f"{type(pipe).__name__} has no .{part}: EncoderCache works on pipelines with a UNet; "
                "for a transformer use the caches of diffusers (transformer.enable_cache)"
            )
    check_reads_text(plain_unet(pipe.unet))
    check_scheduler(pipe.scheduler)


def check_scheduler(scheduler: Any) -> None:
    if getattr(scheduler, "order", 1) > 1:
        raise ValueError(
            f"{type(scheduler).__name__} calls the UNet {scheduler.order} times a step: "
            "use a scheduler of order 1, such as DDIMScheduler or DPMSolverMultistepScheduler"
        )
