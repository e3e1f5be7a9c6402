"""Small real networks built from configs, and the shipped pocket pipeline."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel

from fcr_core.backbones.loading import load_pipeline
from fcr_core.training.pocket import SCHEDULER_CONFIG

from .unets import built
from .workspace import ROOT, Workspace, readme_blocks

torch.set_num_threads(1)


@pytest.fixture
def unet() -> UNet2DConditionModel:
    return built("UNet2DCondition")


@pytest.fixture
def scheduler() -> DDIMScheduler:
    return DDIMScheduler(**SCHEDULER_CONFIG)


@pytest.fixture(scope="session")
def pocket_pipe():
    return load_pipeline(ROOT / "models" / "pocket")


@pytest.fixture(scope="session")
def ran(tmp_path_factory) -> Workspace:
    """A workspace in which the README's first command has run: `make exp1`, on the smoke configuration."""
    workspace = Workspace.create(tmp_path_factory.mktemp("smoke") / "fcr")
    result = workspace.bash(readme_blocks()[0])
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return workspace
