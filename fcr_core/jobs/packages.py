"""Find folders inside installed packages that carry data and weights."""

from __future__ import annotations

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
