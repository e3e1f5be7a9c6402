"""Why a stranger's link gives no image."""

from __future__ import annotations


class Rejected(Exception):
    """A link that gives no usable image; `reason` is what the log counts, `pause` what the server asks for (seconds)."""

    def __init__(self, reason: str, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.reason, self.pause = reason, pause
