"""Peak memory of a fine-tune step and of a sampling run, predicted from configurations alone.

The project's own loss, optimizer, cache and VAE run once on tensors without content, which know their shapes, and every byte that
lives is followed (`fcr_core.cost.clock.peak_tensor_bytes`). Attention is that of the fused kernels. What the process needs beside
tensors is not in it: 1.0 GB of libraries on a CPU, the context of CUDA on a GPU.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from diffusers import AutoencoderKL, DDIMScheduler, MotionAdapter, UNet2DConditionModel, UNetMotionModel
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import AutoConfig, CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from fcr_core.backbones import published_configs as published
from fcr_core.backbones.loading import encode_images, referenced_text_encoder
from fcr_core.backbones.location import TEXT_ENCODER_REFERENCE, Location
from fcr_core.backbones.tasks import conditioning_of
from fcr_core.backbones.text_rows import added_rows, reads_pooled, unet_arguments
from fcr_core.caching.batched_call import repeat, tile_call
from fcr_core.caching.launches import LAUNCH_STEPS, steps_a_launch
from fcr_core.caching.plan import Plan
from fcr_core.cost.clock import peak_tensor_bytes
from fcr_core.experiment.recipe import Recipe
from fcr_core.finetuning.weighted_loss import FineTuneLoss, trained_parts
from fcr_core.training.loop import AUTOCAST
from fcr_core.training.training_set import EncodedSet
from fcr_core.unet.split_unet import SplitUNet


@dataclass(frozen=True)
class PeakMemory:
    """Bytes that are held before the first step (`held`: weights and copies of them), and the most that a step adds (`step`)."""

    held: int
    step: int

    @property
    def total(self) -> int:
        return self.held + self.step


@dataclass
class Networks:
    """The networks of a backbone by configuration: those of a folder, where there is one, else the published ones.

    `published_name` is a name in `fcr_core.backbones.published_configs`. Raises `ValueError` when there is neither.
    """

    location: str
    published_name: str | None = None
    where: Location = field(init=False)

    def __post_init__(self) -> None:
        self.where = Location.parse(self.location)
        if self._config("unet") is None and self.published_name not in published.UNETS:
            raise ValueError(
                f"no configuration of {self.where.base} on this machine: give the backbone a `source` in the configuration"
            )

    def unet(self) -> Any:
        """On the meta device."""
        with torch.device("meta"):
            return self._unet()

    def _unet(self) -> Any:
        unet = UNet2DConditionModel.from_config(self._config("unet") or published.UNETS[str(self.published_name)])
        if self.where.kind != "motion":
            return unet
        assert self.where.adapter is not None
        adapter = read(Path(self.where.adapter.source) / "config.json") or published.MOTION_ADAPTER
        return UNetMotionModel.from_unet2d(unet, MotionAdapter.from_config(adapter), load_weights=False)

    def vae(self) -> Any:
        return AutoencoderKL.from_config(self._config("vae") or published.VAE)

    def text_encoders(self, unet: Any) -> list[Any]:
        """One, or the two of SDXL."""
        reference = referenced_text_encoder(Path(self.where.base.source) / TEXT_ENCODER_REFERENCE)
        if reference:
            return [reference["text_encoder"]]
        with torch.device("meta"):
            return self._text_encoders(unet)

    def _text_encoders(self, unet: Any) -> list[Any]:
        folder = Path(self.where.base.source)
        if (folder / "text_encoder").exists():
            return [built_encoder(AutoConfig.from_pretrained(part)) for part in sorted(folder.glob("text_encoder*"))]
        if reads_pooled(unet):
            first, second = (CLIPTextConfig(**published.TEXT_ENCODERS[width]) for width in published.SDXL_TEXT_WIDTHS)
            return [CLIPTextModel(first), CLIPTextModelWithProjection(second)]
        return [CLIPTextModel(CLIPTextConfig(**published.TEXT_ENCODERS[unet.config.cross_attention_dim]))]

    def _config(self, network: str) -> dict[str, Any] | None:
        return read(Path(self.where.base.source) / network / "config.json")


def built_encoder(config: Any) -> Any:
    """Return a text encoder of the class that its config names."""
    return getattr(transformers, config.architectures[0])(config)


def vae_scale(vae: Any) -> int:
    """Return the pixels of a side that become one number of a latent's."""
    return 2 ** (len(vae.config.block_out_channels) - 1)


def read(file: Path) -> dict[str, Any] | None:
    return json.loads(file.read_text()) if file.exists() else None


@dataclass(frozen=True)
class Shapes(EncodedSet):
    """A training set of one batch without content; nothing is drawn from it by value, but what drawing it runs is run."""

    encode: Callable[[], Any] | None = None

    def draw(self, batch: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        if self.encode:
            self.encode()
        return self.latents.clone(), self.texts.clone()


def finetune_memory(
    networks: Networks,
    recipe: Recipe,
    batch: int,
    tokens: int = published.TOKENS,
    size: int | None = None,
    precision: str = "fp32",
    lora_rank: int = 16,
    accumulate: int = 1,
    ema: float = 0.0,
    gradient_checkpointing: bool = False,
    streamed: bool = False,
) -> PeakMemory:
    """Predict the peak of a fine-tune by `recipe` with AdamW in float32; `size`: side of the latents, by default the UNet's.

    The latents of the whole training set are not in it; with `streamed` each batch is encoded as it is drawn.
    Raises `ValueError` for a recipe with terms on trajectories.
    """
    if recipe.needs_trajectories:
        raise ValueError("memory is planned for recipes without trajectories: those with them decode groups of any length")
    unet = networks.unet().train()
    if gradient_checkpointing:
        unet.enable_gradient_checkpointing()
    parts = trained_parts(unet, recipe, lora_rank)
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    with fake:
        data = batch_of(unet, batch, tokens, size, networks.vae().eval() if streamed else None)
    # It copies the network to preserve, so before the weights are fake: torch 2.14's deepcopy of those corrupts the heap.
    loss = FineTuneLoss(unet, DDIMScheduler(), data, recipe, batch)
    with fake:
        unets = (unet, *loss.preserved)
        for network in unets:
            without_content(network)
        trained = [p for p in parts.learning.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=1e-5)
        averaged = sum(p.nbytes for p in trained) if ema else 0
        encoders = bytes_of_pipeline(networks, unet) - bytes_of(unet) if streamed else 0
        held = sum(map(bytes_of, unets)) + averaged + encoders
        steps = partial(two_steps, loss, optimizer, trained, AUTOCAST[precision], min(accumulate, 2))
        return PeakMemory(held, peak_tensor_bytes(steps))


def batch_of(unet: Any, batch: int, tokens: int, size: int | None, vae: Any = None) -> Shapes:
    """With a VAE it is encoded whenever it is drawn."""
    config, side = unet.config, size or unet.config.sample_size
    text = torch.empty(batch, tokens + added_rows(unet), config.cross_attention_dim)
    latents = torch.empty(batch, config.in_channels, side, side)
    if vae is None:
        return Shapes(latents, text, text[:1], [])
    pixels = torch.empty(batch, 3, *(side * vae_scale(vae),) * 2)
    return Shapes(latents, text, text[:1], [], encode=partial(encode_images, vae, pixels))


def two_steps(loss: FineTuneLoss, optimizer: Any, trained: list[nn.Parameter], dtype: torch.dtype | None, passes: int) -> None:
    """In the second step the optimizer's moments are there while activations are, in its second pass also gradients."""
    for _ in range(2):
        for _ in range(passes):
            with torch.autocast("cpu", dtype, enabled=dtype is not None):
                value, _ = loss.total(torch.Generator())
            value.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def loading_memory(networks: Networks) -> PeakMemory:
    """Predict the host memory of loading a pipeline with a fine-tuned UNet: its float32 file is mapped beside the networks."""
    unet = networks.unet()
    return PeakMemory(bytes_of_pipeline(networks, unet), bytes_of(unet))


@torch.no_grad()
def sampling_memory(
    networks: Networks,
    plan: Plan,
    steps: int,
    batch: int,
    tokens: int = published.TOKENS,
    guided: bool = True,
    device: str = "cpu",
    size: int | None = None,
) -> PeakMemory:
    """Predict the peak of drawing `batch` images or clips in float32, prompts to pixels.

    `size` is the side of the latents, by default the UNet's own.
    """
    unet = networks.unet().eval()
    unet.register_to_config(sample_size=size or unet.config.sample_size)
    with FakeTensorMode(allow_non_fake_inputs=True):
        without_content(unet)
        held, vae = bytes_of_pipeline(networks, unet), networks.vae().eval()
        loop = peak_tensor_bytes(partial(one_group, unet, plan, steps, batch * (1 + guided), tokens, device))
        shape = conditioning_of(unet).latent_shape(unet)
        frames = torch.empty(batch * conditioning_of(unet).frames, shape[0], *shape[-2:])
        return PeakMemory(held, max(loop, peak_tensor_bytes(lambda: vae.decode(frames.clone()).sample)))


def one_group(unet: Any, plan: Plan, steps: int, rows: int, tokens: int, device: str) -> None:
    """Predict the most that a run holds: at a key step of a guided batch, or while a group's other steps are decoded."""
    split, conditioning = SplitUNet(unet, plan.cut, plan.live), conditioning_of(unet)
    shape = conditioning.latent_shape(unet)
    latents = torch.empty(rows, *shape)  # of the run and the solver
    text = torch.empty(rows * conditioning.frames, tokens + added_rows(unet), unet.config.cross_attention_dim)
    sample = torch.empty(rows, unet.config.in_channels, *shape[1:])
    call = {"sample": sample, "timestep": torch.tensor(1), **unet_arguments(unet, text)}
    group = max(map(len, plan.keys.groups(steps)))
    earlier = split.whole(**call)[1] if plan.reuse == "linear" else ()
    prediction, features = split.whole(**call)
    launch = min(group - 1, LAUNCH_STEPS if device == "cuda" else steps_a_launch(features))
    if launch:
        lines = [torch.addcmul(f, f.new_ones(()), f - g) for f, g in zip(features, earlier, strict=True)] if earlier else features
        split.decode(tuple(repeat(f, launch) for f in lines), **tile_call(call, torch.zeros(launch)))
    del latents, prediction


def without_content(network: nn.Module) -> Any:
    """The network, built on the meta device, with weights as a CPU has them, but for their content; inside a FakeTensorMode."""
    for module in network.modules():
        for name, p in module._parameters.items():
            if p is not None:
                module._parameters[name] = nn.Parameter(torch.empty(p.shape, dtype=p.dtype, device="cpu"), p.requires_grad)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype, device="cpu")
    return network


def bytes_of_pipeline(networks: Networks, unet: Any) -> int:
    """Bytes of a pipeline's networks in float32."""
    with torch.device("meta"):
        vae = networks.vae()
    return sum(map(bytes_of, (unet, vae, *networks.text_encoders(unet))))


def bytes_of(network: nn.Module) -> int:
    """Bytes of all weights in float32."""
    return 4 * sum(p.numel() for p in network.parameters())
