"""Check the arguments of a UNet before it runs: what is wrong or missing is named."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from diffusers import UNet2DConditionModel, UNet2DModel, UNetMotionModel, UNetSpatioTemporalConditionModel

from fcr_core.unet.plain_unet import UNet

# What `added_cond_kwargs` must hold, by the UNet's config: `addition_embed_type`, `encoder_hid_dim_type`.
ADDED = {
    "text_time": ("text_embeds", "time_ids"),
    "text_image": ("image_embeds",),
    "image": ("image_embeds",),
    "image_hint": ("image_embeds", "hint"),
}
PROJECTED = dict.fromkeys(("text_image_proj", "image_proj", "ip_image_proj"), ("image_embeds",))
# Arguments that every call has, and those that no caller here gives.
ALWAYS = {"self", "sample", "timestep", "encoder_hidden_states"}
LEFT_OUT = {
    "return_dict", "down_block_additional_residuals", "mid_block_additional_residual", "down_intrablock_additional_residuals",
}  # fmt: skip


def layout(unet: UNet) -> tuple[str, ...]:
    """Return the axes of a UNet's sample, in order."""
    if isinstance(unet, UNetSpatioTemporalConditionModel):
        return "batch", "frames", "channels", "height", "width"
    if isinstance(unet, UNet2DConditionModel | UNet2DModel):
        return "batch", "channels", "height", "width"
    return "batch", "channels", "frames", "height", "width"


def needed(unet: UNet) -> dict[str, tuple[str, ...]]:
    """Return the arguments that a UNet needs beside sample, timestep and text.

    Those of type dictionary come with the keys that they must hold; the others are tensors, with no keys.
    """
    config = unet.config
    keys = [*ADDED.get(config.get("addition_embed_type"), ()), *PROJECTED.get(config.get("encoder_hid_dim_type"), ())]
    found: dict[str, tuple[str, ...]] = {"added_cond_kwargs": tuple(dict.fromkeys(keys))} if keys else {}
    if getattr(unet, "class_embedding", None) is not None:
        found["class_labels"] = ()
    if config.get("time_cond_proj_dim"):
        found["timestep_cond"] = ()
    required = [p.name for p in parameters(unet).values() if p.default is inspect.Parameter.empty]
    return found | {name: () for name in required if name not in ALWAYS}


def parameters(unet: UNet) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(type(unet).forward).parameters


def check_conditions(unet: UNet, given: Mapping[str, Any], rows: int) -> None:
    """Check the arguments of a UNet's forward beside sample, timestep and text, for a batch of `rows`.

    Raises `ValueError` for one that is missing or unknown, or has another number of rows.
    """
    kind, accepted = type(unet).__name__, parameters(unet).keys() - ALWAYS - LEFT_OUT
    if unknown := sorted(given.keys() - accepted):
        raise ValueError(f"{kind} takes no {', '.join(unknown)} here: it takes {', '.join(sorted(accepted)) or 'nothing more'}")
    for argument, keys in needed(unet).items():
        value = given.get(argument)
        missing = [key for key in keys if key not in (value or {})]
        if value is None or missing:
            holding = f" with {' and '.join(missing)}" if missing else ""
            raise ValueError(
                f"{kind} needs {argument}{holding}, which was not given: give what the pipeline of this UNet gives it"
            )
        for name, tensor in [(f"{argument}[{key!r}]", value[key]) for key in keys] or [(argument, value)]:
            if isinstance(tensor, torch.Tensor) and (tensor.dim() == 0 or len(tensor) != rows):
                raise ValueError(f"{name} has the shape {tuple(tensor.shape)}: it must have a row for each of the {rows} samples")


def check_samples(unet: UNet, **samples: torch.Tensor) -> None:
    """Check samples, given by the names that a message should call them.

    Raises `ValueError` unless they have the axes and channels that the UNet takes, and all the same shape.
    """
    axes, channels = layout(unet), unet.config.in_channels
    expected = ", ".join(str(channels) if axis == "channels" else axis for axis in axes)
    # Such a UNet joins a hint to the sample itself.
    hinted = unet.config.get("addition_embed_type") == "image_hint"
    first, *_ = samples.items()
    for name, x in samples.items():
        if x.dim() != len(axes) or (not hinted and x.shape[axes.index("channels")] != channels):
            raise ValueError(f"{name} has the shape {tuple(x.shape)}: {type(unet).__name__} takes ({expected})")
        if x.shape != first[1].shape:
            raise ValueError(
                f"{name} has the shape {tuple(x.shape)}, but {first[0]} has {tuple(first[1].shape)}: give equal shapes"
            )


def check_reads_text(unet: UNet) -> None:
    """Raise `ValueError` for an unconditional UNet."""
    if "encoder_hidden_states" not in parameters(unet):
        raise ValueError(f"{type(unet).__name__} reads no text or image embedding: use a conditional UNet of diffusers")


def check_text(unet: UNet, text: torch.Tensor | None, sample: torch.Tensor) -> None:
    """Check text embeddings. UNetMotionModel takes one for each frame.

    Raises `ValueError` for another number of rows or another width than the UNet takes.
    """
    check_reads_text(unet)
    kind, config = type(unet).__name__, unet.config
    if text is None and config.get("encoder_hid_dim_type") == "image_proj":
        return
    width = config.get("encoder_hid_dim") or config.get("cross_attention_dim")
    rows = len(sample) * (sample.shape[2] if isinstance(unet, UNetMotionModel) else 1)
    if text is None or text.dim() != 3 or len(text) != rows or (isinstance(width, int) and text.shape[2] != width):
        found = "is not given" if text is None else f"has the shape {tuple(text.shape)}"
        raise ValueError(f"encoder_hidden_states {found}: {kind} takes ({rows}, tokens, {width}) with this sample")


def check_types(unet: UNet, **tensors: torch.Tensor | None) -> None:
    """Check the precision of tensors, given by the names that a message should call them.

    Raises `ValueError` unless it is the UNet's, or autocast sees to it: the caller's, or one inside the UNet's forward.
    """
    for name, tensor in tensors.items():
        if tensor is None or tensor.dtype == unet.dtype or "forward" in vars(unet):
            continue
        if not torch.is_autocast_enabled(tensor.device.type):
            raise ValueError(f"{name} is {tensor.dtype}, but the UNet is {unet.dtype}: convert one, or use torch.autocast")


def timesteps_of(name: str, t: torch.Tensor | float | Sequence[float], sample: torch.Tensor) -> torch.Tensor:
    """Return timesteps (B,) on the device of the sample, from one number for all samples or one for each.

    Raises `ValueError` for another number of timesteps. `name` is what the message calls them.
    """
    allowed = f"give one timestep, or one for each of the {len(sample)} samples"
    try:
        times = torch.as_tensor(t, device=sample.device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name} is {t!r}: {allowed}") from error
    if times.dim() > 1 or times.numel() not in (1, len(sample)):
        raise ValueError(f"{name} has the shape {tuple(times.shape)}: {allowed}")
    return times.expand(len(sample))
