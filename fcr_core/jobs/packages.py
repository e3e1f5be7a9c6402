"""Installed packages: folders of data and weights that some carry, and packages that are not to be imported unasked."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path


def package_folder(package: str, folder: str) -> Path:
    """Return a folder inside an installed package, without importing the package.

    Raises `ModuleNotFoundError` that names the package to install.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"package {package!r} is missing: pip install 'fcr[pocket]'")
    return Path(spec.submodule_search_locations[0]) / folder


def withhold(package: str) -> None:
    """Let other libraries take an installed package for missing, until it is given free.

    Must come before they are imported. diffusers, transformers and peft import bitsandbytes wherever it is: half a second, and a
    warning about kernels for weights of 4 bits.
    """
    if package not in sys.modules:
        sys.modules[package] = None  # type: ignore[assignment] # Python's own mark of what must not be imported


def give_free(package: str) -> None:
    """Let it be imported again."""
    if sys.modules.get(package, package) is None:
        del sys.modules[package]
