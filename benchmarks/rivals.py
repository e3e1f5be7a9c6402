"""What the cached sampler is compared with: Faster Diffusion written out, and the DeepCache package from PyPI."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import torch


@torch.no_grad()
def sample(pipe: SimpleNamespace, noise: torch.Tensor, text: torch.Tensor, steps: int) -> torch.Tensor:
    """A guided run without text encoder and VAE; noise (B, C, h, w), text (2B, tokens, width)."""
    return loop(pipe, noise, steps, lambda x, t, i: pipe.unet(x, t, encoder_hidden_states=text, return_dict=False)[0])


@torch.no_grad()
def literal_faster_diffusion(
    pipe: SimpleNamespace, noise: torch.Tensor, text: torch.Tensor, steps: int, stride: int
) -> torch.Tensor:
    """Faster Diffusion's sequential loop: encoder every `stride` steps, decoder at each."""
    unet, features = pipe.unet, None

    def predict(x: torch.Tensor, t: torch.Tensor, i: int) -> torch.Tensor:
        nonlocal features
        emb = unet.time_embedding(unet.time_proj(t.expand(len(x))).to(x.dtype))
        if i % stride == 0:
            features = encoder(unet, x, emb, text)
        return decoder(unet, *features, emb, text)

    return loop(pipe, noise, steps, predict)


@torch.no_grad()
def deepcache_package(pipe: SimpleNamespace, noise: torch.Tensor, text: torch.Tensor, steps: int, stride: int) -> torch.Tensor:
    """`DeepCacheSDHelper` with its defaults: the last layer of the last up block at every step."""
    from DeepCache import DeepCacheSDHelper

    helper = DeepCacheSDHelper(pipe=pipe)
    helper.set_params(cache_interval=stride, cache_branch_id=0)
    helper.enable()
    made = sample(pipe, noise, text, steps)
    helper.disable()
    return made


def loop(pipe: SimpleNamespace, noise: torch.Tensor, steps: int, predict: Callable[..., torch.Tensor]) -> torch.Tensor:
    """Guidance 3 on `predict(x twice, t, step)`."""
    pipe.scheduler.set_timesteps(steps)
    x = noise
    for i, t in enumerate(pipe.scheduler.timesteps):
        unconditional, conditional = predict(torch.cat([x, x]), t, i).chunk(2)
        x = pipe.scheduler.step(unconditional + 3 * (conditional - unconditional), t, x, return_dict=False)[0]
    return x


def crossed(block: torch.nn.Module, text: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"encoder_hidden_states": text} if getattr(block, "has_cross_attention", False) else {}


def encoder(unet, x, emb, text) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    h = unet.conv_in(x)
    residuals = (h,)
    for block in unet.down_blocks:
        h, more = block(hidden_states=h, temb=emb, **crossed(block, text))
        residuals += more
    return unet.mid_block(h, emb, encoder_hidden_states=text), residuals


def decoder(unet, h, residuals, emb, text) -> torch.Tensor:
    for block in unet.up_blocks:
        count = len(block.resnets)
        h = block(hidden_states=h, temb=emb, res_hidden_states_tuple=residuals[-count:], **crossed(block, text))
        residuals = residuals[:-count]
    return unet.conv_out(unet.conv_act(unet.conv_norm_out(h)))
