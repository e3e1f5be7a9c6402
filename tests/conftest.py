"""Small real networks built from configs, and the shipped pocket pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel

from fcr_core.pipelines import load_pipeline
from fcr_core.pocket import SCHEDULER_CONFIG

ROOT = Path(__file__).parent.parent
torch.set_num_threads(1)


def tiny_unet(seed: int = 0) -> UNet2DConditionModel:
    torch.manual_seed(seed)
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=8,
        attention_head_dim=2,
        norm_num_groups=4,
    )


@pytest.fixture
def unet() -> UNet2DConditionModel:
    return tiny_unet().eval()


@pytest.fixture
def scheduler() -> DDIMScheduler:
    return DDIMScheduler(**SCHEDULER_CONFIG)


@pytest.fixture(scope="session")
def pocket_pipe():
    return load_pipeline(ROOT / "models" / "pocket")
