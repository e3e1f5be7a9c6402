"""Turn the UNet call of one sampling step into a call of several steps. The batch is repeated step by step (step-major)."""

from __future__ import annotations

from typing import Any

import torch

# These arguments are left out, because their effect is already in the features.
IN_THE_FEATURES = (
    "down_block_additional_residuals",
    "mid_block_additional_residual",
    "down_intrablock_additional_residuals",
)


def tile_call(call: dict[str, Any], timesteps: torch.Tensor) -> dict[str, Any]:
    """Turn the call of one step into a call of several steps, step-major. The sample is only a shape and takes no memory."""
    sample, steps = call["sample"], len(timesteps)
    batch = len(sample)
    others = {name: value for name, value in call.items() if name not in IN_THE_FEATURES}
    tiled = {name: tile(value, batch, steps) for name, value in others.items()}
    text = call.get("encoder_hidden_states")
    return tiled | {
        "sample": sample.new_zeros(()).expand(steps * batch, *sample.shape[1:]),
        "timestep": timesteps.repeat_interleave(batch),
        # This is the only argument whose rows may be frames: AnimateDiff repeats the text for each frame.
        "encoder_hidden_states": None if text is None else repeat(text, steps),
    }


def tile(value: Any, batch: int, times: int) -> Any:
    """Repeat values that have one row a sample: masks, `timestep_cond`, dictionaries and lists of such. Leave the rest."""
    if isinstance(value, torch.Tensor) and value.dim() > 0 and len(value) == batch:
        return repeat(value, times)
    if isinstance(value, dict):
        return {key: tile(part, batch, times) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(tile(part, batch, times) for part in value)
    return value


def repeat(x: torch.Tensor, times: int) -> torch.Tensor:
    """Repeat the whole batch: (B, ...) -> (times * B, ...)."""
    return x.repeat(times, *[1] * (x.dim() - 1)) if times > 1 else x


def last_rows(x: torch.Tensor, rows: int, wanted: int) -> torch.Tensor:
    """Return the part of x that belongs to the last `wanted` of `rows` samples. x may have several rows a sample (frames)."""
    return x[-(len(x) // rows * wanted) :]
