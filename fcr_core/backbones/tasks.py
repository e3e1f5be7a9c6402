"""What a task gives a UNet beside noise and text: extra channels (in-painting, depth) or frames. One object a task."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import UNetMotionModel
from PIL import Image

from fcr_core.backbones.loading import encode_images
from fcr_core.data.pixels import slices, to_pixels

# AnimateDiff's motion modules were trained on clips of this length (Guo et al., 2023, arXiv 2307.04725).
FRAMES = 16
# Pictures whose depth is estimated at once.
BATCH = 16


class TextAlone:
    """Text-to-image: nothing but the prompt."""

    frames = 1

    def latent_shape(self, unet: Any) -> tuple[int, ...]:
        """(C, h, w) of one latent image of the UNet's own size; (C, F, h, w) of a clip."""
        size = unet.config.sample_size
        return unet.config.out_channels, size, size

    def encode(self, pipe: Any, images: Sequence[Image.Image], prompt_ids: list[str]) -> torch.Tensor:
        """(N, C + E, h, w): the latents of images and, behind them, their channels."""
        return beside(encode_images(pipe.vae, to_pixels(images)), self.channels(pipe, images, prompt_ids))

    def channels(self, pipe: Any, images: Sequence[Image.Image], prompt_ids: list[str]) -> torch.Tensor:
        """What the UNet reads beside the latents of these images (N, E, h, w), the same at every step; here E = 0."""
        return torch.empty(len(images), 0, 1, 1)

    def training_inputs(
        self, unet: Any, encoded: torch.Tensor, text: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Latents, channels (B, E, h, w) and text as the UNet takes them, of rows that `encode` made and embeddings (B, L, D)."""
        count = unet.config.out_channels
        return encoded[:, :count], encoded[:, count:], text

    def sampling_inputs(self, pipe: Any, images: Sequence[Image.Image], prompt_ids: list[str]) -> dict[str, torch.Tensor]:
        """What the pipeline draws from beside the prompts, one row an image."""
        return {}

    def call_arguments(self, noise: torch.Tensor, inputs: dict[str, torch.Tensor]) -> dict[str, Any]:
        """Arguments of the pipeline's `__call__` for initial noise (B, C, h, w) and the inputs."""
        return {"latents": noise, **inputs}


class FromImages(TextAlone):
    """Tasks that draw from a picture: its fixed channels are made from the pictures, at the size that is drawn."""

    def sampling_inputs(self, pipe: Any, images: Sequence[Image.Image], prompt_ids: list[str]) -> dict[str, torch.Tensor]:
        side = pipe.unet.config.sample_size * pipe.vae_scale_factor
        fitted = [image.convert("RGB").resize((side, side), Image.Resampling.LANCZOS) for image in images]
        channels = self.channels(pipe, fitted, prompt_ids)
        # The pipelines expect 0..1.
        return {"image": to_pixels(fitted) / 2 + 0.5, **self._from_channels(channels, prompt_ids, side)}

    def _from_channels(self, channels: torch.Tensor, prompt_ids: list[str], side: int) -> dict[str, torch.Tensor]:
        raise NotImplementedError

    def call_arguments(self, noise: torch.Tensor, inputs: dict[str, torch.Tensor]) -> dict[str, Any]:
        if not inputs:
            raise ValueError("this backbone draws from pictures and there are none here: give --data, or use a text-to-image one")
        return super().call_arguments(noise, inputs)


class Inpainting(FromImages):
    """Channels: the mask, then the latents of the picture with the masked part grey; the pipeline's own order.

    The mask is a square of half the picture's side; where it lies depends on the prompt_id alone (`mask_of`).
    """

    def channels(self, pipe: Any, images: Sequence[Image.Image], prompt_ids: list[str]) -> torch.Tensor:
        pixels = to_pixels(images)
        mask = masks(prompt_ids, pixels.shape[-1])
        latents = encode_images(pipe.vae, pixels * (mask < 0.5))
        return torch.cat([F.interpolate(mask, size=latents.shape[-2:]), latents], 1)

    def _from_channels(self, channels: torch.Tensor, prompt_ids: list[str], side: int) -> dict[str, torch.Tensor]:
        return {"mask_image": masks(prompt_ids, side), "masked_image_latents": channels[:, 1:]}


class Depth(FromImages):
    """Channel: the depth map by the pipeline's own estimator, -1 to 1 in each picture.

    Sampling begins at full strength, that is at step 1 of all, on the noised latents of the picture. The pipeline takes no
    initial noise but draws it itself, by the generator of each image.
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

    Trained on still pictures each stands for a clip without motion: enough to fine-tune features, not to teach motion.
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
    """The task that a UNet was built for. Raises `ValueError` for a number of input channels that none has."""
    if isinstance(unet, UNetMotionModel):
        return Clips()
    extra = unet.config.in_channels - unet.config.out_channels
    if extra not in BY_EXTRA_CHANNELS:
        raise ValueError(
            f"a UNet with {unet.config.in_channels} input channels fits no task: known are 4, 5 (depth) and 9 (mask)"
        )
    return BY_EXTRA_CHANNELS[extra]


def beside(x: torch.Tensor, channels: torch.Tensor) -> torch.Tensor:
    """A UNet's sample: latents (B, C, h, w) and, behind them, the fixed channels (B, E, h, w) if there are any."""
    return torch.cat([x, channels], 1) if channels.shape[1] else x


def masks(prompt_ids: list[str], side: int) -> torch.Tensor:
    """(N, 1, H, W), 1 where the picture is to be painted anew."""
    return torch.stack([mask_of(prompt_id, side) for prompt_id in prompt_ids])


def mask_of(prompt_id: str, side: int) -> torch.Tensor:
    """(1, H, W): a square of half the side, its corner at one of 5 x 5 places that a hash of the prompt_id chooses."""
    row, column = divmod(hashlib.sha256(prompt_id.encode()).digest()[0] % 25, 5)
    mask = torch.zeros(1, side, side)
    top, left = row * side // 8, column * side // 8
    mask[:, top : top + side // 2, left : left + side // 2] = 1
    return mask
