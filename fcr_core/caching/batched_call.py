"""Turn the UNet call of one sampling step into a call of several steps. The batch is repeated step by step (step-major)."""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models import attention_processor

from fcr_core.caching.call_state import Switches, tensors_in

# These arguments are left out, because their effect is already in the features.
IN_THE_FEATURES = (
    "down_block_additional_residuals",
    "mid_block_additional_residual",
    "down_intrablock_additional_residuals",
)
# Arguments whose tensors have one row a sample, or one row for all samples. The text may have more: a row a frame.
PER_SAMPLE = (
    "added_cond_kwargs",
    "added_time_ids",
    "attention_mask",
    "class_labels",
    "encoder_attention_mask",
    "fps",
    "image_embeddings",
    "image_latents",
    "timestep_cond",
)
# Of `cross_attention_kwargs`: what has one row a sample, and what is the same for all of them.
ATTENTION_PER_SAMPLE, ATTENTION_SHARED = ("gligen",), ("scale", "ip_adapter_masks")
# Attention that computes each row by itself. Any other may take the batch apart, as perturbed-attention guidance does.
NAMES = """
    AttnProcessor AttnProcessor2_0 AttnProcessorNPU FusedAttnProcessor2_0 SlicedAttnProcessor XFormersAttnProcessor
    AttnAddedKVProcessor AttnAddedKVProcessor2_0 SlicedAttnAddedKVProcessor XFormersAttnAddedKVProcessor
    CustomDiffusionAttnProcessor CustomDiffusionAttnProcessor2_0 CustomDiffusionXFormersAttnProcessor
    IPAdapterAttnProcessor IPAdapterAttnProcessor2_0 IPAdapterXFormersAttnProcessor
"""
ROW_BY_ROW = tuple(getattr(attention_processor, name) for name in NAMES.split())


def tile_call(call: dict[str, Any], timesteps: torch.Tensor) -> dict[str, Any]:
    """Turn the call of one step into a call of several steps, step-major. The sample is only a shape and takes no memory.

    For several steps `can_tile(call)` has to hold.
    """
    sample, steps = call["sample"], len(timesteps)
    batch = len(sample)
    tiled = {name: value for name, value in call.items() if name not in IN_THE_FEATURES}
    tiled |= {name: tile(call[name], batch, steps) for name in PER_SAMPLE if name in call}
    attention = call.get("cross_attention_kwargs")
    if attention:
        parts = {name: tile(attention[name], batch, steps) for name in ATTENTION_PER_SAMPLE if name in attention}
        tiled["cross_attention_kwargs"] = attention | parts
    text = call.get("encoder_hidden_states")
    return tiled | {
        "sample": sample.new_zeros(()).expand(steps * batch, *sample.shape[1:]),
        "timestep": timesteps.repeat_interleave(batch),
        # This is the only argument whose rows may be frames: AnimateDiff repeats the text for each frame.
        "encoder_hidden_states": None if text is None else repeat(text, steps),
    }


def can_tile(call: dict[str, Any]) -> bool:
    """Return True if it is known of every tensor of a call whether its rows are samples."""
    batch, attention = len(call["sample"]), call.get("cross_attention_kwargs") or {}
    rows = [call.get(name) for name in PER_SAMPLE] + [attention.get(name) for name in ATTENTION_PER_SAMPLE]
    known = {"sample", "timestep", "encoder_hidden_states", "cross_attention_kwargs", *PER_SAMPLE, *IN_THE_FEATURES}
    others = [value for name, value in call.items() if name not in known]
    others += [value for name, value in attention.items() if name not in (*ATTENTION_PER_SAMPLE, *ATTENTION_SHARED)]
    return not list(tensors_in(others)) and all(x.dim() == 0 or len(x) in (1, batch) for x in tensors_in(rows))


def rows_are_independent(decoder: Switches) -> bool:
    """Return True if nothing in a decoder may look at several rows of a batch at once.

    Attention processors have to be those that work row by row, and no hook or patched forward may be there but those of
    accelerate and diffusers.
    """
    processors = (type(part.processor) in ROW_BY_ROW for part in decoder.attention)
    return all(processors) and not any(map(watched_by_others, decoder.parts))


def watched_by_others(module: torch.nn.Module) -> bool:
    own = vars(module)
    watched = "forward" in own or own["_forward_hooks"] or own["_forward_pre_hooks"]
    return bool(watched) and "_hf_hook" not in own and "_diffusers_hook" not in own


def tile(value: Any, batch: int, times: int) -> Any:
    """Repeat tensors that have one row a sample, also in dictionaries and lists. One row for several samples stays."""
    if isinstance(value, torch.Tensor):
        return repeat(value, times) if value.dim() > 0 and len(value) == batch else value
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
