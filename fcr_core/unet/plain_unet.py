"""Find the UNet inside what training code wraps around one."""

from __future__ import annotations

from typing import Any

from torch import nn

# Any UNet class of diffusers: a module with conv_in, down_blocks, up_blocks and mostly a mid_block.
UNet = Any

# Wrappers by class, and the attribute that holds what they wrap. Their classes are known by name: peft takes seconds to import.
INSIDE = {"OptimizedModule": "_orig_mod", "PeftModel": "base_model", "BaseTuner": "model"}
# Wrappers that do their own work around a forward. A pass of the UNet alone would leave that work out.
OWN_MODULE = "give its .module"
REFUSED = {
    "DataParallel": f"it makes new copies of the UNet in every call: {OWN_MODULE}, and use torchrun for several GPUs",
    "DistributedDataParallel": (
        f"it averages gradients only after a forward of its own: {OWN_MODULE}, "
        "and call the wrapper itself once for the same backward pass, or average the gradients afterwards"
    ),
    "FullyShardedDataParallel": "the UNet has its weights only inside a forward of the wrapper: use DistributedDataParallel",
    "FSDPModule": "the UNet has its weights only inside a whole forward: use DistributedDataParallel",
    "DeepSpeedEngine": f"it runs the backward pass itself: {OWN_MODULE}",
}
PARTS = ("conv_in", "down_blocks", "up_blocks")


def plain_unet(unet: UNet) -> UNet:
    """Return the UNet of diffusers inside `torch.compile(unet)` or `get_peft_model(unet, ...)`. A UNet comes back as it is.

    Raises `ValueError` for `DataParallel` and its like, and for what is no UNet.
    """
    inside = unwrapped(unet)
    if not isinstance(inside, nn.Module) or not all(part in inside._modules for part in PARTS):
        raise ValueError(
            f"{type(inside).__name__} is no UNet with down and up blocks: give a UNet of diffusers, such as pipe.unet"
        )
    return inside


def unwrapped(unet: UNet) -> Any:
    """Return what `torch.compile` or PEFT wraps, whatever it is. Raises `ValueError` for `DataParallel` and its like."""
    kinds = [kind.__name__ for kind in type(unet).__mro__]
    for name, reason in REFUSED.items():
        if name in kinds:
            raise ValueError(f"the UNet is wrapped in {name}: {reason}")
    for name, attribute in INSIDE.items():
        if name in kinds:
            return unwrapped(getattr(unet, attribute))
    return unet


def call_uncompiled(unet: UNet, *args: Any, **kwargs: Any) -> Any:
    """Call a plain UNet without what `unet.compile()` or `torch.compile(unet.forward)` made of it. Its hooks run.

    Raises `ValueError` when something else took the place of its forward, as `EncoderCache` does: this call would disturb it.
    """
    # The hooks of accelerate keep the forward that they call under another name.
    name = "_old_forward" if hasattr(unet, "_hf_hook") else "forward"
    given = getattr(unet, name)
    own = getattr(given, "_torchdynamo_orig_callable", given)
    is_its_own = getattr(own, "__self__", None) is unet
    if not is_its_own:
        raise ValueError(f"the forward of the {type(unet).__name__} is replaced: leave the block of EncoderCache, or undo it")
    if own is given:
        return unet._call_impl(*args, **kwargs)
    unet.__dict__[name] = own
    try:
        return unet._call_impl(*args, **kwargs)
    finally:
        unet.__dict__[name] = given


def uncompiled(block: nn.Module) -> Any:
    """Return the block inside `torch.compile(block)`. Any other block comes back as it is."""
    return getattr(block, "_orig_mod", block)
