"""Check that a UNet can be fine-tuned: its weights can be saved, and training sets hold what it reads."""

from __future__ import annotations

from peft.tuners.tuners_utils import BaseTunerLayer

from fcr_core.backbones.text_rows import reads_pooled
from fcr_core.unet.call_check import needed
from fcr_core.unet.plain_unet import UNet, plain_unet


def trainable_unet(unet: UNet) -> UNet:
    """Return the plain UNet inside a compiled one.

    Raises `ValueError` for a UNet with adapters, or with blocks inside `torch.compile(block)`. Either changes the names of
    weights, so that a saved UNet would not load.
    """
    plain = plain_unet(unet)
    kind = type(plain).__name__
    if any(isinstance(module, BaseTunerLayer) for module in plain.modules()):
        raise ValueError(f"the {kind} has adapters: fold them in first (fuse_lora and unload_lora, or merge_and_unload of peft)")
    wrapped = [name.removesuffix("._orig_mod") for name, _ in plain.named_modules() if name.endswith("._orig_mod")]
    if wrapped:
        first = wrapped[0]
        raise ValueError(
            f"{first} of the {kind} lies inside torch.compile: use {first}.compile(), which keeps the names of weights"
        )
    return plain


def check_inputs(unet: UNet) -> None:
    """Raise `ValueError` for a UNet that needs inputs which training sets do not hold."""
    lacking = [name for name in needed(unet) if not (name == "added_cond_kwargs" and reads_pooled(unet))]
    if lacking:
        raise ValueError(
            f"{type(unet).__name__} needs {' and '.join(lacking)}, which training sets do not hold: "
            "write a training loop of your own around feature_consistency_loss, which takes them"
        )
