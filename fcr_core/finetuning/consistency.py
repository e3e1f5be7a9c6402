"""The Feature Consistency Regularization loss: it makes the encoder features of x_t and x_{t-Δ} alike.

L = L_denoise + λ · E_{t,Δ} ‖Enc(x_t) − Enc(x_{t−Δ})‖²,   t ~ U(Δ, T),  Δ ~ U(1, Δ_max),  same x_0 and ε
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from fcr_core.unet.call_check import check_conditions, check_samples, check_text, check_types, timesteps_of
from fcr_core.unet.encoder_features import Features, encode, select_blocks
from fcr_core.unet.plain_unet import plain_unet

Distance = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
STOP_GRAD = (None, "key", "reuse")


def wide(x: torch.Tensor) -> torch.Tensor:
    """Return `x` in float32 if it has half precision: squares of features beyond 255 overflow in float16."""
    return x.float() if x.dtype.itemsize < torch.float32.itemsize else x


def mse(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the mean squared difference over all elements. This is the formula of the plan."""
    return wide(a - b).square().mean()


def relative(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return `mse` divided by the detached mean square of `a`.

    So layers of any scale weigh the same, and shrinking all features gains nothing. Equal features are at distance 0, even if
    they are 0.
    """
    power = wide(a.detach()).square().mean()
    return mse(a, b) / power.clamp(min=torch.finfo(power.dtype).tiny)


def cosine(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return 1 − the cosine similarity over channels, averaged over samples and positions.

    It is 0 for parallel features, whatever their norms.
    """
    return 1 - F.cosine_similarity(wide(a), wide(b), dim=1).mean()


DISTANCES: dict[str, Distance] = {"mse": mse, "relative": relative, "cosine": cosine}


def feature_distance(
    features: Features, features2: Features, distance: str = "mse", blocks: Sequence[str] = ()
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Compare the features of two encoder passes.

    Return the distance (a scalar) and the detached distance of each block. A block's distance is the mean over the tensors that
    the decoder reads from it. The scalar is the mean over blocks.

    Raises `ValueError` for an unknown distance or block.
    """
    if distance not in DISTANCES:
        raise ValueError(f"unknown distance {distance!r}: expected one of {sorted(DISTANCES)}")
    per_block = {}
    for name in select_blocks(features, (blocks,) if isinstance(blocks, str) else tuple(blocks)):
        pairs = zip(features[name], features2[name], strict=True)
        per_block[name] = torch.stack([DISTANCES[distance](a, b) for a, b in pairs]).mean()
    loss = torch.stack(list(per_block.values())).mean()
    return loss, {name: value.detach() for name, value in per_block.items()}


def feature_norms(features: Features) -> dict[str, torch.Tensor]:
    """Return the root mean square of each block's features.

    It shows when a fine-tune reaches consistency by shrinking the features.
    """
    powers = {name: torch.stack([wide(x.detach()).square().mean() for x in tensors]) for name, tensors in features.items()}
    return {name: power.mean().sqrt() for name, power in powers.items()}


def feature_consistency_loss(
    unet: nn.Module,
    x_t: torch.Tensor,
    t: torch.Tensor | float,
    x_t2: torch.Tensor,
    t2: torch.Tensor | float,
    encoder_hidden_states: torch.Tensor,
    blocks: Sequence[str] = (),
    distance: str = "mse",
    stop_grad: str | None = None,
    cut: int = 0,
    **conditions: Any,
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Return E ‖Enc(x_t) − Enc(x_t2)‖², and the detached distance of each block. Two encoder passes run, and no decoder.

    >>> from diffusers import DDIMScheduler, UNet2DConditionModel
    >>> unet = UNet2DConditionModel(sample_size=8, block_out_channels=(32, 32, 32, 32), cross_attention_dim=16)
    >>> x_0, noise, text = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8), torch.randn(2, 5, 16)
    >>> t = torch.tensor([500, 900])
    >>> x_t, x_t2 = (DDIMScheduler().add_noise(x_0, noise, times) for times in (t, t - 10))
    >>> loss, per_block = feature_consistency_loss(unet, x_t, t, x_t2, t - 10, text)
    >>> list(per_block)
    ['down.0', 'down.1', 'down.2', 'down.3', 'mid']

    The UNet may be compiled, as a whole or block by block, or have adapters (`PeftModel` included). Of one that is compiled as a
    whole the uncompiled module runs. Half precision is summed in float32.

    Args:
        unet: a conditional UNet of diffusers. One without a mid block has no block `mid`.
        x_t: the key step's sample (B, C, h, w), whose features would be cached. Clips have five axes.
        t: its timesteps (B,), integers, or one number for all.
        x_t2: the sample of a step that reuses these features, in the shape of `x_t`.
        t2: its timesteps (B,), integers, or one number for all.
        encoder_hidden_states: text embeddings (B, L, D); for UNetMotionModel (B * frames, L, D).
        blocks: names or groups of blocks (`select_blocks`). By default all blocks but `conv_in`.
        distance: "mse", "relative" or "cosine".
        stop_grad: the pass that no gradient flows through, "key" or "reuse". None: gradients flow through both.
        cut: compare the features that the sampler caches at this cut.
        conditions: what else the UNet's forward reads, the same in both passes: `added_cond_kwargs` (SDXL: text_embeds (B, P) and
            time_ids (B, 6)), `class_labels`, `timestep_cond`, `added_time_ids` (Stable Video Diffusion), ...

    Raises `ValueError` for an unknown distance, block, cut or `stop_grad`, a shape or precision that the UNet does not take, an
    argument that the UNet needs and was not given, and for `DataParallel` and its like.
    """
    if stop_grad not in STOP_GRAD:
        raise ValueError(f"unknown stop_grad {stop_grad!r}: expected one of {STOP_GRAD}")
    plain = plain_unet(unet)
    check_samples(plain, x_t=x_t, x_t2=x_t2)
    check_text(plain, encoder_hidden_states, x_t)
    check_types(plain, x_t=x_t, x_t2=x_t2, encoder_hidden_states=encoder_hidden_states)
    check_conditions(plain, conditions, len(x_t))
    call: dict[str, Any] = {"encoder_hidden_states": encoder_hidden_states, "cut": cut, **conditions}
    with torch.set_grad_enabled(torch.is_grad_enabled() and stop_grad != "key"):
        key = encode(plain, x_t, timesteps_of("t", t, x_t), **call)
    with torch.set_grad_enabled(torch.is_grad_enabled() and stop_grad != "reuse"):
        reuse = encode(plain, x_t2, timesteps_of("t2", t2, x_t), **call)
    return feature_distance(key, reuse, distance, blocks)
