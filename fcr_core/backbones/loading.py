"""Loading a backbone as a ready diffusers pipeline, and encoding prompts and images with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import (
    AnimateDiffPipeline,
    AutoencoderKL,
    DDIMScheduler,
    DiffusionPipeline,
    MotionAdapter,
    UNet2DConditionModel,
)
from huggingface_hub.errors import HFValidationError
from transformers import AutoModel, AutoTokenizer

from fcr_core.backbones.location import TEXT_ENCODER_REFERENCE, Location, Repository
from fcr_core.data.pixels import slices
from fcr_core.jobs.packages import package_folder
from fcr_core.unet.reuse_decoder import own_decoder

# What a repository of low-rank weights keeps them in; without the network diffusers cannot ask for the name.
LORA_FILE = "pytorch_lora_weights.safetensors"
# The schedule that AnimateDiff's motion modules were trained on (card of guoyww/animatediff-motion-adapter-v1-5-2).
MOTION_SCHEDULE = {"beta_schedule": "linear", "timestep_spacing": "linspace", "steps_offset": 1}
NO_CHECKER = {"safety_checker": None, "requires_safety_checker": False}
# Any UNet class of diffusers.
UNet = Any


def load_pipeline(location: str | Path, unet: str | Path | None = None, local_files_only: bool = False) -> Any:
    """The pipeline of a location (`backbones.location`) in float32 with a DDIM scheduler, its networks frozen and in eval mode.

    Its class is the one that the folder or the hub names. `unet` is a folder whose fine-tuned UNet, adapters folded in, takes the
    place of the pipeline's own. With `local_files_only`, or `HF_HUB_OFFLINE=1`, only what is on this machine is used. Raises
    `ValueError` when a part is not to be had, with the config key to set.
    """
    where = Location.parse(location)
    texts = referenced_text_encoder(Path(where.base.source) / TEXT_ENCODER_REFERENCE)
    # A pipeline class declares CLIP's text encoder and warns of another; with none it has nothing to say, and gets it below.
    parts: dict[str, Any] = dict.fromkeys(texts)
    if unet is not None:
        parts["unet"] = load_network(unet)
    options: dict[str, Any] = {"local_files_only": local_files_only}
    index = fetched(DiffusionPipeline.load_config, where.base, **options)
    kind = getattr(diffusers, index["_class_name"])
    if where.kind == "motion":
        kind = AnimateDiffPipeline
        parts["motion_adapter"] = fetched(MotionAdapter.from_pretrained, where.adapter, "backbone_adapter", **options)
    if "safety_checker" in kind._optional_components:
        parts |= NO_CHECKER
    pipe = fetched(kind.from_pretrained, where.base, dtype=torch.float32, **options, **parts)
    pipe.register_modules(**texts)
    if where.kind == "lora" and unet is None:
        fetched(pipe.load_lora_weights, where.adapter, "backbone_adapter", weight_name=LORA_FILE, **options)
        pipe.fuse_lora()
        pipe.unload_lora_weights()
    pipe.scheduler = ddim_scheduler(pipe.scheduler.config, where)
    pipe.set_progress_bar_config(disable=True)
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.requires_grad_(False).eval()
    for part in (pipe.unet, pipe.vae):
        # 7 to 10 % faster on a CPU; on a GPU what half-precision convolutions want.
        part.to(memory_format=torch.channels_last)
    return pipe


def fetched(load: Callable[..., Any], repository: Repository | None, key: str = "backbone_source", **options: Any) -> Any:
    """What a `from_pretrained` makes of a folder or a hub id; where there is neither, one line that says what to do."""
    assert repository is not None
    try:
        return load(repository.source, revision=repository.revision, **options)
    except (OSError, HFValidationError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"cannot load {repository}: set the config key {key} to a folder that holds it, or let the hub be reached once "
            f"(without HF_HUB_OFFLINE) so that it is kept on this machine ({reason})"
        ) from error


def load_unet(location: str | Path) -> UNet:
    """The UNet of a location in float32, its adapter folded in, ready to be trained; no other network is kept."""
    where = Location.parse(location)
    if where.adapter is not None:
        return load_pipeline(location).unet.requires_grad_(True)
    config = fetched(UNet2DConditionModel.load_config, where.base, subfolder="unet")
    kind = getattr(diffusers, config["_class_name"])
    return fetched(kind.from_pretrained, where.base, subfolder="unet", dtype=torch.float32)


def load_scheduler(location: str | Path) -> DDIMScheduler:
    """The noise schedule of a location, and whether its UNet predicts ε or v, as a DDIM scheduler."""
    where = Location.parse(location)
    return ddim_scheduler(fetched(DDIMScheduler.load_config, where.base, subfolder="scheduler"), where)


def ddim_scheduler(config: Any, where: Location) -> DDIMScheduler:
    # DDIM's default clips to the range of pixels; some folders for other schedulers do not say that latents have none.
    return DDIMScheduler.from_config(config, clip_sample=False, **(MOTION_SCHEDULE if where.kind == "motion" else {}))


def load_network(folder: str | Path) -> UNet:
    """A UNet that `save_pretrained` wrote, of the class that its config names, in float32."""
    kind = getattr(diffusers, json.loads((Path(folder) / "config.json").read_text())["_class_name"])
    return kind.from_pretrained(folder, dtype=torch.float32)


def load_reuse_decoder(pipe: Any, cut: int, folder: str | Path) -> UNet:
    """The decoder of the UNet in `folder`, trained to read reused features; all other weights are shared with the pipeline's."""
    trained = load_network(folder).to(pipe.device, memory_format=torch.channels_last)
    return own_decoder(pipe.unet, cut, trained.requires_grad_(False).eval())


def referenced_text_encoder(reference: Path) -> dict[str, object]:
    """Text encoder and tokenizer from the package that `reference` names; nothing if there is no such file."""
    if not reference.exists():
        return {}
    where = json.loads(reference.read_text())
    folder = package_folder(where["package"], where["folder"])
    tokenizer = AutoTokenizer.from_pretrained(folder)
    # SD pipelines pad every prompt to this length.
    tokenizer.model_max_length = where["max_tokens"]
    return {"text_encoder": AutoModel.from_pretrained(folder), "tokenizer": tokenizer}


@torch.no_grad()
def encode_prompts(pipe: Any, prompts: list[str], batch: int = 64) -> torch.Tensor:
    """Text embeddings (N, L, D) by the pipeline's own `encode_prompt`, without guidance; on the CPU."""
    return torch.cat([pipe.encode_prompt(prompts[part], pipe.device, 1, False)[0].cpu() for part in slices(len(prompts), batch)])


@torch.no_grad()
def encode_images(vae: AutoencoderKL, pixels: torch.Tensor, batch: int = 8) -> torch.Tensor:
    """Latents (N, C, h, w) of pixels (N, 3, H, W) in -1..1: posterior means times the VAE's scaling factor; on the CPU.

    At 512 px the VAE of Stable Diffusion holds 0.4 GB an image.
    """
    means = [vae.encode(pixels[part].to(vae.device)).latent_dist.mean.cpu() for part in slices(len(pixels), batch)]
    return (torch.cat(means) * vae.config.scaling_factor).contiguous()
