"""Real services for a while: what `{name}_up.sh` starts and `{name}_down.sh` ends."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent


@contextmanager
def service(name: str, folder: Path) -> Iterator[Path]:
    """The service `name` with its state in `folder`, which is made."""
    folder.mkdir()
    try:
        subprocess.run(["bash", HERE / f"{name}_up.sh", folder], check=True)
        yield folder
    finally:
        subprocess.run(["bash", HERE / f"{name}_down.sh", folder], check=False)
