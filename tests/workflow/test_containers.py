"""The container recipes against what they must agree with; no engine is needed, and none builds them here."""

import re
import tomllib

import pytest
import yaml

from ..workspace import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RECIPES = {name: (ROOT / "envs" / name).read_text() for name in ("Dockerfile", "fcr.def")}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_recipe_has_the_projects_python_version_and_pins(recipe):
    (python,) = re.findall(r"(?i)^from:? python:(\d+\.\d+)\.\d+-slim-bookworm$", recipe, flags=re.MULTILINE)
    conda = yaml.safe_load((ROOT / "envs" / "environment.yaml").read_text())["dependencies"]
    assert PROJECT["requires-python"] == f">={python}" and f"python={python}" in conda
    assert "pip install --no-cache-dir --requirement envs/requirements.lock" in recipe
    (version,) = re.findall(r'image\.version[ =]"?([\d.]+)', recipe)
    assert version == PROJECT["version"]


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_what_a_recipe_copies_exists(recipe):
    copied = re.findall(r"^(?:COPY|   ) (\S+) (?:/opt/fcr/|envs/|\.$)", recipe, flags=re.MULTILINE)
    assert copied and all((ROOT / name).exists() for name in copied)


def test_the_image_does_not_run_as_root():
    assert re.findall(r"^USER (\d+)$", RECIPES["Dockerfile"], flags=re.MULTILINE) == ["1000"]


def test_kubernetes_runs_the_image_of_this_version():
    profile = yaml.safe_load((ROOT / "profiles" / "kubernetes" / "profile.yaml").read_text())
    assert profile["container-image"].endswith(f"/fcr:{PROJECT['version']}")
