"""The exception for a downloaded link that gives no usable image, with the reason."""

from __future__ import annotations


class Rejected(Exception):
    """A link gives no usable image.

    `reason` is what the log counts. `pause` is the wait in seconds that the server asks for.
    """

    def __init__(self, reason: str, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.reason, self.pause = reason, pause
