"""Where the workflow may run: in the project's folder, with folders for what it writes."""

from __future__ import annotations

import os
from pathlib import Path

WRITTEN = ("results", "logs", ".snakemake")


def check_place(project: Path, here: Path | None = None) -> None:
    """Raise `ValueError` unless `here`, by default the working folder, is the project's and may be written to.

    What is written lies below `results`, `logs` and `.snakemake`. Each may be missing, a folder, or a link to one.
    """
    here = here or Path.cwd()
    if here.resolve() != project.resolve():
        raise ValueError(
            f"{here} is not the folder of the Snakefile: call it in {project.resolve()}, where it reads and writes all files"
        )
    for name in WRITTEN:
        place = here / name
        if place.is_symlink() and not place.exists():
            raise ValueError(f"{place} is a link to {place.readlink()}, which is not there: make that folder")
        if place.exists() and not place.is_dir():
            raise ValueError(f"{place} is a file, and a folder is written there: move it away")
        if not os.access(place if place.exists() else here, os.W_OK | os.X_OK):
            raise ValueError(f"{place} cannot be written to: change its permissions, or link it to a folder of your own")
