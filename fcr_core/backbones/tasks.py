"""The inputs that a task gives a UNet beside noise and text: extra channels (in-painting, depth) or frames. One class a task."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import UNetMotionModel
from PIL import Image

from fcr_core.backbones.loading import encode_images
from fcr_core.backbones.text_rows import reads_pooled
from fcr_core.data.pixels import slices, to_pixels
from fcr_core.unet.plain_unet import plain_unet

# AnimateDiff's motion modules were trained on clips of this length (Guo et al., 2023, arXiv 2307.04725).
FRAMES = 16
# Number of pictures whose depth is estimated at once.
BATCH = 16


class TextAlone:
    """Text-to-image: the UNet reads nothing but the prompt. The other tasks are subclasses."""

    frames = 1

    def latent_shape(self, unet: Any) -> tuple[int, ...]:
        """Return the shape of one latent at the UNet's own size: (C, h, w) of an image, (C, F, h, w) of a clip."""
        size = unet.config.sample_size
        return unet.config.out_channels, size, size

    def encode(self, pipe: Any, images: Sequence[Image.Image], prompt_ids: list[str]) -> torch.Tensor:
        """Return (N, C + E, h, w): the latents of images, followed by their extra channels."""
        return beside(encode_images(pipe.vae, to_pixels(images)), self.channels(pipe, images, prompt_ids))

    def channels(self, pipe: Any, images: Sequence[Image.Image], prompt_ids: list[str]) -> torch.Tensor:
        """Return the extra channels (N, E, h, w) that the UNet reads beside the latents of these images, the same at every step.

        Here E = 0.
        """
        return torch.empty(len(images), 0, 1, 1)

    def training_inputs(
        self, unet: Any, encoded: torch.Tensor, text: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return latents, channels (B, E, h, w) and text as the UNet takes them.

        `encoded` are rows that `encode` made, and `text` are embeddings (B, L, D).
        """
        count = unet.config.out_channels
        return encoded[:, :count], encoded[:, count:], text

    def sampling_inputs(self, pipe: Any, images: Sequence[Image.Image], prompt_ids: list[str]) -> dict[str, torch.Tensor]:
        """Return the inputs that the pipeline needs beside the prompts, one row an image."""
        return {}

    def call_arguments(self, noise: torch.Tensor, inputs: dict[str, torch.Tensor]) -> dict[str, Any]:
        """Return the arguments of the pipeline's `__call__` for initial noise (B, C, h, w) and the inputs."""
        return {"latents": noise, **inputs}


class FromImages(TextAlone):
    """Tasks that draw from a picture. Their extra channels are made from the pictures, at the size that is drawn."""

    def sampling_inputs(self, pipe: Any, images: Sequence[Image.Image], prompt_ids: list[str]) -> dict[str, torch.Tensor]:
        side = pipe.unet.config.sample_size * pipe.vae_scale_factor
        fitted = [image.convert("RGB").resize((side, side), Image.Resampling.LANCZOS) for image in images]
        channels = self.channels(pipe, fitted, prompt_ids)
        # The pipelines expect values in 0..1.
        return {"image": to_pixels(fitted) / 2 + 0.5, **self._from_channels(channels, prompt_ids, side)}

    def _from_channels(self, channels: torch.Tensor, prompt_ids: list[str], side: int) -> dict[str, torch.Tensor]:
        raise NotImplementedError

    def call_arguments(self, noise: torch.Tensor, inputs: dict[str, torch.Tensor]) -> dict[str, Any]:
        if not inputs:
            raise ValueError("this backbone draws from pictures and there are none here: give --data, or use a text-to-image one")
        return super().call_arguments(noise, inputs)


class Inpainting(FromImages):
    """In-painting. Channels: the mask, then the latents of the picture with the masked part grey, in the pipeline's own order.

    The mask is a square of half the picture's side. Its place depends on the prompt_id alone (`mask_of`).
    """

    def channels(self, pipe: Any, images: Sequence[Image.Image], prompt_ids: list[str]) -> torch.Tensor:
        pixels = to_pixels(images)
        mask = masks(prompt_ids, pixels.shape[-1])
        latents = encode_images(pipe.vae, pixels * (mask < 0.5))
        return torch.cat([F.interpolate(mask, size=latents.shape[-2:]), latents], 1)

    def _from_channels(self, channels: torch.Tensor, prompt_ids: list[str], side: int) -> dict[str, torch.Tensor]:
        return {"mask_image": masks(prompt_ids, side), "masked_image_latents": channels[:, 1:]}


class Depth(FromImages):
    """Depth to image. Channel: the depth map by the pipeline's own estimator, from -1 to 1 in each picture.

    Sampling begins at full strength, so at the first step, on the noised latents of the picture. The pipeline takes no initial
    noise. It draws the noise itself with the generator of each image.
    """

    @torch.no_grad()
    def channels(self, pipe: Any, images: Sequence[Image.Image], prompt_ids: list[str]) -> torch.Tensor:
        parts = [images[part] for part in slices(len(images), BATCH)]
        maps = [pipe.prepare_depth_map(part, None, len(part), False, torch.float32, pipe.device) for part in parts]
        return torch.cat(maps).cpu()

    def _from_channels(self, channels: torch.Tensor, prompt_ids: list[str], side: int) -> dict[str, torch.Tensor]:
        return {"depth_map": channels[:, 0]}

    def call_arguments(self, noise: torch.Tensor, inputs: dict[str, torch.Tensor]) -> dict[str, Any]:
        arguments = super().call_arguments(noise, inputs) | {"strength": 1.0}
        del arguments["latents"]
        return arguments


class Clips(TextAlone):
    """AnimateDiff: clips of `FRAMES` frames.

    In training on still pictures, each picture stands for a clip without motion. That is enough to fine-tune features, but does
    not teach motion.
    """

    frames = FRAMES

    def latent_shape(self, unet: Any) -> tuple[int, ...]:
        channels, height, width = super().latent_shape(unet)
        return channels, FRAMES, height, width

    def training_inputs(
        self, unet: Any, encoded: torch.Tensor, text: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        x0, channels, text = super().training_inputs(unet, encoded, text)
        return x0.unsqueeze(2).repeat(1, 1, FRAMES, 1, 1), channels, text.repeat_interleave(FRAMES, 0)

    def call_arguments(self, noise: torch.Tensor, inputs: dict[str, torch.Tensor]) -> dict[str, Any]:
        return super().call_arguments(noise, inputs) | {"num_frames": FRAMES}


BY_EXTRA_CHANNELS = {0: TextAlone(), 1: Depth(), 5: Inpainting()}


def conditioning_of(unet: Any) -> TextAlone:
    """Return the task that a UNet was built for.

    Raises `ValueError` for a number of input channels that no task has, and for SDXL's in-painting and video.
    """
    unet = plain_unet(unet)
    extra = unet.config.in_channels - unet.config.out_channels
    if reads_pooled(unet) and (extra or isinstance(unet, UNetMotionModel)):
        raise ValueError("of UNets with SDXL's added conditions only text to image is supported: no in-painting, no video")
    if isinstance(unet, UNetMotionModel):
        return Clips()
    if extra not in BY_EXTRA_CHANNELS:
        raise ValueError(
            f"a UNet with {unet.config.in_channels} input channels fits no task: known are 4, 5 (depth) and 9 (mask)"
        )
    return BY_EXTRA_CHANNELS[extra]


def beside(x: torch.Tensor, channels: torch.Tensor) -> torch.Tensor:
    """Return a UNet's sample: latents (B, C, h, w), followed by the extra channels (B, E, h, w) if there are any."""
    return torch.cat([x, channels], 1) if channels.shape[1] else x


def masks(prompt_ids: list[str], side: int) -> torch.Tensor:
    """Return masks (N, 1, H, W) that are 1 where the picture is to be painted anew."""
    return torch.stack([mask_of(prompt_id, side) for prompt_id in prompt_ids])


def mask_of(prompt_id: str, side: int) -> torch.Tensor:
    """Return one mask (1, H, W): a square of half the side.

    A hash of the prompt_id puts its corner at one of 5 x 5 places.
    """
    row, column = divmod(hashlib.sha256(prompt_id.encode()).digest()[0] % 25, 5)
    mask = torch.zeros(1, side, side)
    top, left = row * side // 8, column * side // 8
    mask[:, top : top + side // 2, left : left + side // 2] = 1
    return mask
