"""Small real networks built from configs, and the shipped pocket pipeline."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel

from fcr_core.backbones.loading import load_pipeline
from fcr_core.training.embedded import SCHEDULER_CONFIG

from .unets import built
from .workspace import ROOT, Workspace, readme_blocks

# The files whose tests ask for `ran`.
WORKSPACE_TESTS = ("tests/workflow/test_workflow.py", "tests/report/test_page.py")
torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests that share the run of the DAG come first: theirs is the longest way."""
    items.sort(key=lambda item: "ran" not in getattr(item, "fixturenames", ()))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    """Tests go to processes by file, and the files that share the run of the DAG to the same one.

    (Groups by mark, xdist's own way, do nothing with xdist 3.8 and pytest 9.2.)
    """
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return WORKSPACE_TESTS[0] if file in WORKSPACE_TESTS else file

    return Scheduling(config, log)


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
