"""Load a backbone as a ready diffusers pipeline, and encode prompts and images with it."""

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
from fcr_core.backbones.text_rows import text_rows
from fcr_core.data.pixels import slices
from fcr_core.jobs.packages import package_folder
from fcr_core.unet.reuse_decoder import own_decoder

# The file that holds the weights in a LoRA repository. Without a network diffusers cannot find out its name.
LORA_FILE = "pytorch_lora_weights.safetensors"
# The schedule that AnimateDiff's motion modules were trained on (card of guoyww/animatediff-motion-adapter-v1-5-2).
MOTION_SCHEDULE = {"beta_schedule": "linear", "timestep_spacing": "linspace", "steps_offset": 1}
NO_CHECKER = {"safety_checker": None, "requires_safety_checker": False}
# Any UNet class of diffusers.
UNet = Any


def load_pipeline(location: str | Path, unet: str | Path | None = None, local_files_only: bool = False) -> Any:
    """Return the pipeline of a location (`backbones.location`): float32, DDIM scheduler, networks frozen and in eval mode.

    >>> pipe = load_pipeline("models/pocket")
    >>> type(pipe).__name__, type(pipe.scheduler).__name__
    ('StableDiffusionPipeline', 'DDIMScheduler')

    The folder or the hub names the class of the pipeline.

    Args:
        location: `source[@revision][+lora:source[@revision]]`.
        unet: a folder with a fine-tuned UNet, adapters folded in. It replaces the pipeline's own UNet.
        local_files_only: use only what is on this machine. `HF_HUB_OFFLINE=1` does the same.

    Raises `ValueError` when a part cannot be found. The message names the config key to set. Also for a VAE whose latents are
    not only scaled but shifted.
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
        parts["motion_adapter"] = fetched(MotionAdapter.from_pretrained, where.adapter, "adapter", **options)
    if "safety_checker" in kind._optional_components:
        parts |= NO_CHECKER
    pipe = fetched(kind.from_pretrained, where.base, dtype=torch.float32, **options, **parts)
    pipe.register_modules(**texts)
    if getattr(pipe.vae.config, "latents_mean", None):
        raise ValueError(f"{where.base}: its VAE shifts latents (latents_mean): use one that only scales them (scaling_factor)")
    if where.kind == "lora" and unet is None:
        fetched(pipe.load_lora_weights, where.adapter, "adapter", weight_name=LORA_FILE, **options)
        pipe.fuse_lora()
        pipe.unload_lora_weights()
    pipe.scheduler = ddim_scheduler(pipe.scheduler.config, where)
    pipe.set_progress_bar_config(disable=True)
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.requires_grad_(False).eval()
    for part in (pipe.unet, pipe.vae):
        # This is 7 to 10 % faster on a CPU. On a GPU half-precision convolutions want it.
        part.to(memory_format=torch.channels_last)
    return pipe


def replace_unet(pipe: Any, folder: str | Path) -> None:
    """Put a fine-tuned UNet in place of the pipeline's own, at the same size of images, frozen and on the same device."""
    unet = load_network(folder).requires_grad_(False).eval().to(pipe.device, memory_format=torch.channels_last)
    unet.register_to_config(sample_size=pipe.unet.config.sample_size)
    pipe.unet = unet


def fetched(load: Callable[..., Any], repository: Repository | None, key: str = "source", **options: Any) -> Any:
    """Call a `from_pretrained` on a folder or hub id.

    Raises `ValueError` if there is neither. Its one line says what to do.
    """
    assert repository is not None
    try:
        return load(repository.source, revision=repository.revision, **options)
    except (OSError, HFValidationError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"cannot load {repository}: set {key} in its entry of the config section backbones to a folder that holds it, "
            "or run once with access to the hub (without HF_HUB_OFFLINE) so that it is downloaded and kept on this machine "
            f"({reason})"
        ) from error


def load_unet(location: str | Path) -> UNet:
    """Return the UNet of a location in float32, with its adapter folded in, ready to be trained. No other network is kept."""
    where = Location.parse(location)
    if where.adapter is not None:
        return load_pipeline(location).unet.requires_grad_(True)
    config = fetched(UNet2DConditionModel.load_config, where.base, subfolder="unet")
    kind = getattr(diffusers, config["_class_name"])
    return fetched(kind.from_pretrained, where.base, subfolder="unet", dtype=torch.float32)


def load_scheduler(location: str | Path) -> DDIMScheduler:
    """Return the noise schedule of a location as a DDIM scheduler. It also says if the UNet predicts ε or v."""
    where = Location.parse(location)
    return ddim_scheduler(fetched(DDIMScheduler.load_config, where.base, subfolder="scheduler"), where)


def ddim_scheduler(config: Any, where: Location) -> DDIMScheduler:
    # DDIM clips to the range of pixels by default, and latents have no such range. Folders made for other schedulers may not
    # say so.
    return DDIMScheduler.from_config(config, clip_sample=False, **(MOTION_SCHEDULE if where.kind == "motion" else {}))


def load_network(folder: str | Path) -> UNet:
    """Return a UNet that `save_pretrained` wrote, in float32. The class is the one that its config names."""
    kind = getattr(diffusers, json.loads((Path(folder) / "config.json").read_text())["_class_name"])
    return kind.from_pretrained(folder, dtype=torch.float32)


def load_reuse_decoder(pipe: Any, cut: int, folder: str | Path) -> UNet:
    """Return the reuse decoder in `folder`, made for the given cut. It shares all other weights with the pipeline's UNet."""
    trained = load_network(folder).to(pipe.device, memory_format=torch.channels_last)
    return own_decoder(pipe.unet, cut, trained.requires_grad_(False).eval())


def referenced_text_encoder(reference: Path) -> dict[str, object]:
    """Return text encoder and tokenizer from the package that the file `reference` names. No file gives an empty dictionary."""
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
    """Return text embeddings (N, L, D) on the CPU, made by the pipeline's own `encode_prompt` without guidance.

    For SDXL each has further rows (`text_rows`).
    """
    parts = [embeddings(pipe, prompts[part], guided=False)[0::2] for part in slices(len(prompts), batch)]
    return torch.cat([text_rows(pipe, *part).cpu() for part in parts])


@torch.no_grad()
def encode_null_prompt(pipe: Any) -> torch.Tensor:
    """Return what guidance leads away from, as `encode_prompts` returns a prompt, (1, L, D): "", or zeros for SDXL."""
    return text_rows(pipe, *embeddings(pipe, [""], guided=True)[1::2]).cpu()


def embeddings(pipe: Any, prompts: list[str], guided: bool) -> tuple[torch.Tensor, ...]:
    """Return token embeddings of the prompts, then those of the null prompt; for SDXL also both pooled embeddings."""
    return pipe.encode_prompt(prompts, device=pipe.device, num_images_per_prompt=1, do_classifier_free_guidance=guided)


@torch.no_grad()
def encode_images(vae: AutoencoderKL, pixels: torch.Tensor, batch: int = 8) -> torch.Tensor:
    """Return latents (N, C, h, w) on the CPU of pixels (N, 3, H, W) in -1..1: posterior means times the VAE's scaling factor.

    At 512 px the VAE of Stable Diffusion holds 0.4 GB an image.
    """
    means = [vae.encode(pixels[part].to(vae.device)).latent_dist.mean.cpu() for part in slices(len(pixels), batch)]
    return (torch.cat(means) * vae.config.scaling_factor).contiguous()
