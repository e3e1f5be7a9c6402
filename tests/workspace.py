"""A copy of the checkout in which the tests run the real DAG on the smoke configuration."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
PROGRAMS = Path(sys.executable).parent


def readme_blocks() -> list[str]:
    """The commands of the README, a block each."""
    return re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)


def merged(base: dict, more: dict) -> dict:
    """A configuration with another on top, section by section; neither is changed."""
    return base | {key: merged(base.get(key, {}), value) if isinstance(value, dict) else value for key, value in more.items()}


def contents(folder: Path, without: str = "") -> dict[str, str]:
    """Checksums of all files in the folder, by path; `without` files of this name."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and file.name != without]
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


class Workspace:
    """The project's files in `folder`, with config.yaml replaced by config.yaml + config/smoke.yaml and a ready `.venv`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def create(cls, folder: Path) -> Workspace:
        files = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        for name in files.stdout.splitlines():
            if (ROOT / name).exists():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        (folder / ".venv").mkdir()
        for part in ("bin", "lib", "pyvenv.cfg"):
            (folder / ".venv" / part).symlink_to(PROGRAMS.parent / part)
        workspace = cls(folder)
        workspace.bash("touch $(make --dry-run setup | grep -o '[.]venv/[.]ready-[0-9]*')")
        configs = [yaml.safe_load((folder / name).read_text()) for name in ("config.yaml", "config/smoke.yaml")]
        workspace.write_config(merged(*configs))
        return workspace

    def write_config(self, config: dict) -> None:
        (self.folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    def read_config(self) -> dict:
        return yaml.safe_load((self.folder / "config.yaml").read_text())

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    @property
    def environment(self) -> dict[str, str]:
        # Other tests run beside: threads that wait for each other must not spin, or a timing job takes ten times as long.
        passive = {"OMP_WAIT_POLICY": "PASSIVE"}
        return {**os.environ, **passive, "PATH": f"{PROGRAMS}:{os.environ['PATH']}", "PYTHONPATH": ""}

    def bash(self, commands: str) -> subprocess.CompletedProcess:
        """Run commands as a user would type them."""
        return subprocess.run(
            ["bash", "-euc", commands], cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )

    def start(self, commands: str) -> subprocess.Popen:
        return subprocess.Popen(
            ["bash", "-euc", f"exec {commands}"], cwd=self.folder, env=self.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def planned(self, target: str = "") -> dict[str, int]:
        """Jobs that a dry run would execute, by rule."""
        result = self.bash(f"snakemake -n --cores 1 {target}")
        assert result.returncode == 0, result.stdout + result.stderr
        counts = re.findall(r"^(\w+) +(\d+)$", (result.stdout + result.stderr).split("Job stats:")[-1], flags=re.MULTILINE)
        return {rule: int(count) for rule, count in counts if rule not in ("total", "all")}
