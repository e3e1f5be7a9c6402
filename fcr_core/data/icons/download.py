"""Fetch the packages of icons: one file at a time, whole files or none, each with its checksum."""

from __future__ import annotations

import hashlib
import logging
from http.client import HTTPException
from pathlib import Path
from urllib.request import Request, urlopen

from fcr_core.data.icons.styles import STYLES, Style
from fcr_core.jobs.files import replacing
from fcr_core.jobs.job import sha256_of

log = logging.getLogger(__name__)
USER_AGENT = "fcr-dataset-downloader/0.1 (research; six files, one at a time)"
# Seconds of each wait.
TIMEOUT = 60


def fetch(folder: Path, offline: bool) -> None:
    """Fetch the tarballs that the folder lacks, and those that have another content than expected.

    Raises `ValueError` for a server's file with a wrong checksum. Raises `ValueError`, which says which files to get and where to
    put them, if `offline` or if a file cannot be fetched.
    """
    missing = [style for style in STYLES if not complete(folder / style.tarball, style)]
    if missing and offline:
        raise ValueError(f"HF_HUB_OFFLINE is set, so nothing is downloaded: {by_hand(folder, missing)}")
    for i, style in enumerate(missing):
        log.info("downloading %s", style.url)
        try:
            body = body_of(style.url)
        except (OSError, HTTPException) as error:
            raise ValueError(f"{style.url}: {error}; without a network, {by_hand(folder, missing[i:])}") from None
        if (found := hashlib.sha256(body).hexdigest()) != style.sha256:
            raise ValueError(f"{style.url}: not the official file: its SHA-256 is {found}, but {style.sha256} is expected")
        with replacing(folder / style.tarball) as draft:
            draft.write_bytes(body)


def complete(file: Path, style: Style) -> bool:
    return file.is_file() and sha256_of(file) == style.sha256


def body_of(url: str) -> bytes:
    with urlopen(Request(url, headers={"User-Agent": USER_AGENT}), timeout=TIMEOUT) as response:
        return response.read()


def by_hand(folder: Path, styles: list[Style]) -> str:
    """Say which files to get, and where to put them."""
    return f"put these files into {folder}, or into a folder of datasets.illustrations.source: {', '.join(s.url for s in styles)}"
