"""Hash the code of a script and all of `fcr_core` that it imports, without comments and docstrings, and the tables beside it.

Snakemake does not see imported modules, and it reruns a `script:` on a mere `touch`. Rules put this hash into `params`, so a job
reruns exactly when the code behind it has changed.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("fcr_core", "workflow_scripts")


def code_hash(*scripts: str, root: Path = ROOT) -> str:
    """Return twelve hexadecimal digits for files, given relative to `root`, and their transitive imports.

    No absolute path enters the hash.
    """
    digest = hashlib.sha256()
    for path in sorted(closure([root / script for script in scripts], root)):
        digest.update(f"{path.relative_to(root)}\n{normalized(path)[0]}".encode())
    return digest.hexdigest()[:12]


def closure(start: list[Path], root: Path) -> set[Path]:
    """Return the files that imports of the project's packages reach from `start`.

    Among them are the packages' `__init__` files and their tables (`*.txt`).
    """
    todo, seen = list(start), set()
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo += [file for name in normalized(path)[1] for file in files_of(name, root)]
    return seen


@cache
def normalized(path: Path) -> tuple[str, tuple[str, ...]]:
    """Return the file's syntax tree as text, without docstrings, and the dotted names of the project that it imports.

    A table is returned as it is.
    """
    if path.suffix == ".txt":
        return path.read_text(encoding="utf-8"), ()
    tree = ast.parse(path.read_text())
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef) and ast.get_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
    return ast.dump(tree), tuple(name for name in names if name.split(".")[0] in PACKAGES)


def files_of(name: str, root: Path) -> list[Path]:
    """Return the file of a dotted name, and the `__init__` files and tables above it. It is empty if the name is no module."""
    parts = name.split(".")
    packages = [root.joinpath(*parts[:i], "__init__.py") for i in range(1, len(parts) + 1)]
    tables = [table for package in packages for table in package.parent.glob("*.txt")]
    return [path for path in [*packages, *tables, root.joinpath(*parts).with_suffix(".py")] if path.exists()]


def package_versions(*packages: str) -> str:
    """Return text such as `torch 2.14.1, diffusers 0.42.1`. A change of these versions reruns a job too."""
    return ", ".join(f"{package} {metadata.version(package)}" for package in packages)
