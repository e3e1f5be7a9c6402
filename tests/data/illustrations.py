"""A small real sample of the six packages in `tests/data/illustrations`, and the whole packages where they are."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from fcr_core.data.icons.styles import STYLES, Style
from fcr_core.jobs.job import sha256_of

from ..workspace import ROOT

SAMPLE = Path(__file__).parent / "illustrations"
# The checksums of the sample's tarballs in place of the official ones.
SAMPLE_STYLES = tuple(replace(style, sha256=sha256_of(SAMPLE / style.tarball)) for style in STYLES)
# Where `download_illustrations` puts the packages, unless a variable names another folder.
WHOLE = Path(os.environ.get("FCR_ILLUSTRATIONS", ROOT / "results" / "illustrations"))


def whole_packages() -> Path:
    """The folder of the six official tarballs. Skips the test where one is missing."""
    missing = [style.tarball for style in STYLES if not (WHOLE / style.tarball).is_file()]
    if missing:
        pytest.skip(f"{WHOLE} lacks {', '.join(missing)}: run `snakemake download_illustrations`, or set FCR_ILLUSTRATIONS")
    return WHOLE


def style_of(package: str) -> Style:
    return next(style for style in STYLES if style.package == package)
