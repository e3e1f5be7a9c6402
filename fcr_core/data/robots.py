"""Read which links a site's robots.txt lets a program fetch (RFC 9309). Each site is asked once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from urllib.robotparser import RobotFileParser

from urllib3.util import Url

from fcr_core.data.rejected import Rejected

# Bytes of a robots.txt that are read. RFC 9309 wants at least this many.
LONGEST = 500_000


class Robots:
    """The robots.txt rules of all sites met so far. `get` fetches a link or raises `Rejected`."""

    def __init__(self, get: Callable[[str], bytes], agent: str) -> None:
        self.get, self.agent = get, agent
        self._sites: dict[str, RobotFileParser] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def allow(self, target: Url) -> bool:
        """Return True if the agent may fetch the link. The rules are those for the agent's name before the slash.

        Raises `Rejected` when the site is dead.
        """
        site = f"{target.scheme}://{target.netloc}"
        with self._lock:
            lock = self._locks.setdefault(site, threading.Lock())
        with lock:
            if site not in self._sites:
                self._sites[site] = self._read(f"{site}/robots.txt")
        return self._sites[site].can_fetch(self.agent, target.url)

    def _read(self, url: str) -> RobotFileParser:
        """Read the rules of one site.

        After a server error (5xx) nothing is allowed (RFC 9309, 2.3.1). After any other failure, such as a missing
        file, everything is.

        Raises `Rejected` when the site is dead.
        """
        rules = RobotFileParser()
        try:
            text = self.get(url)[:LONGEST].decode(errors="replace")
        except Rejected as rejected:
            if rejected.reason == "dead_host":
                raise
            text = "User-agent: *\nDisallow: /" if rejected.reason.startswith("http_5") else ""
        rules.parse(text.splitlines())
        return rules
