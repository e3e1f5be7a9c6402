"""The library's packages and the arrows between them, read from the syntax trees: nothing is imported but in the last test."""

import ast
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter

import pytest

from .workspace import ROOT

# A package: the packages that it may import. Everything else in the library is closed to it.
MAY_IMPORT = {
    "jobs": set(),
    "statistics": set(),
    "unet": set(),
    "data": {"jobs"},
    "metrics": {"statistics"},
    "caching": {"unet"},
    "backbones": {"data", "jobs", "unet"},
    "features": {"backbones", "data", "jobs", "metrics", "training"},
    "experiment": {"backbones", "caching", "data", "features", "metrics"},
    "cost": {"caching", "unet"},
    "sampling": {"backbones", "caching", "data", "experiment", "jobs"},
    "training": {"backbones", "data", "jobs"},
    "finetuning": {"backbones", "caching", "data", "experiment", "sampling", "training", "unet"},
    "tables": {"experiment", "features", "jobs", "metrics", "statistics"},
    "figures": {"experiment", "tables"},
    "cards": {"backbones", "experiment", "metrics", "tables", "training"},
    "report": {"data", "experiment", "statistics", "tables"},
}
MAY_IMPORT["planning"] = set(MAY_IMPORT) - {"cards", "figures", "report"}

WITHOUT_TORCH = ("experiment", "figures", "metrics", "statistics", "tables")

LIBRARY = ROOT / "fcr_core"
MODULES = {file.relative_to(LIBRARY).as_posix(): file for file in sorted(LIBRARY.rglob("*.py"))}
PACKAGES = {name.split("/")[0] for name in MODULES if "/" in name}


def imported_names(source: str, package: list[str]) -> set[str]:
    """Dotted names that a source file in this package imports anywhere, inside functions too.

    `from a import b` gives `a.b`: whether b is a module of a cannot be seen, and a name too long does no harm here.
    """
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            names |= {".".join([*base, *([node.module] if node.module else []), alias.name]) for alias in node.names}
    return names


@cache
def arrows() -> dict[tuple[str, str], set[str]]:
    """(module, package): the names of that other package which the module imports."""
    found: dict[tuple[str, str], set[str]] = {}
    for name, file in MODULES.items():
        package = ["fcr_core", *name.split("/")[:-1]]
        for imported in imported_names(file.read_text(), package):
            first, *rest = imported.split(".")
            if first == "fcr_core" and rest[0] in PACKAGES and rest[0] != name.split("/")[0]:
                found.setdefault((name, rest[0]), set()).add(imported)
    return found


def test_what_a_file_imports_is_found_in_every_form():
    source = "import a.b\nfrom fcr_core import unet\ndef f():\n    from .plan import Plan\n    from ..jobs import files\n"
    expected = {"a.b", "fcr_core.unet", "fcr_core.caching.plan.Plan", "fcr_core.jobs.files"}
    assert imported_names(source, ["fcr_core", "caching"]) == expected


def test_every_module_is_in_a_package_of_the_table():
    assert [name for name in MODULES if "/" not in name] == ["__init__.py"]
    assert set(MAY_IMPORT) == PACKAGES
    assert all(f"{package}/__init__.py" in MODULES for package in PACKAGES)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_what_it_may(package):
    found = {arrow: names for arrow, names in arrows().items() if arrow[0].startswith(f"{package}/")}
    assert {arrow: names for arrow, names in found.items() if arrow[1] not in MAY_IMPORT[package]} == {}


def test_the_table_has_no_circle():
    assert len(list(TopologicalSorter(MAY_IMPORT).static_order())) == len(MAY_IMPORT)


def test_these_packages_need_no_torch():
    modules = [name for name in MODULES if name.startswith(tuple(f"{package}/" for package in WITHOUT_TORCH))]
    dotted = ["fcr_core." + name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in modules]
    each = "    importlib.import_module(name)\n    assert 'torch' not in sys.modules, name\n"
    code = f"import importlib, sys\nfor name in sys.argv[1:]:\n{each}"
    result = subprocess.run([sys.executable, "-c", code, *dotted], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
