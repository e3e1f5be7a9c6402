"""Fetch one link safely and politely: public addresses only, limits on bytes, time and redirects, refusals respected."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import urljoin

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from fcr_core.data.addresses import Address, Network, may_connect, resolve
from fcr_core.data.rejected import Rejected
from fcr_core.data.robots import Robots

USER_AGENT = "fcr-dataset-downloader/0.1 (research; images of public datasets; honours robots.txt and X-Robots-Tag)"
# Words of `X-Robots-Tag` that refuse; img2dataset takes the same. A refusal that is addressed to another robot counts too.
REFUSALS = {"noai", "noimageai", "noindex", "noimageindex"}
REDIRECTS = 4
# After a BUSY answer the same link is tried again, at most RETRIES times. A server may ask for up to LONGEST_PAUSE seconds.
BUSY = {"http_429", "http_502", "http_503", "http_504"}
RETRIES = 2
LONGEST_PAUSE = 30.0


class Fetcher:
    """Fetch links from several threads, at most `per_host` at a time from one host.

    Each request resolves its host once and checks all addresses. The connection is made to an address that was checked. So a name
    that later resolves to something else (DNS rebinding) gains nothing. No proxy is used, because a proxy would resolve names
    itself.

    Args:
        allowed: networks that may be reached although they are not public.
        max_bytes: the largest body.
        timeout: seconds of each wait.
        deadline: seconds of a whole exchange, including headers that trickle in.
        pause: the shortest wait in seconds before a busy server is asked again.
        per_host: links of one host that are fetched at the same time.
    """

    def __init__(
        self,
        allowed: Sequence[Network] = (),
        max_bytes: int = 20_000_000,
        timeout: float = 10.0,
        deadline: float = 60.0,
        pause: float = 2.0,
        per_host: int = 2,
    ) -> None:
        self.allowed, self.max_bytes, self.timeout, self.deadline, self.pause = allowed, max_bytes, timeout, deadline, pause
        self._tls = ssl.create_default_context()
        self._lock = threading.Lock()
        self._turns: dict[str, threading.Semaphore] = defaultdict(lambda: threading.Semaphore(per_host))
        self._robots = Robots(lambda url: self._follow(url, checked=False), USER_AGENT)

    def get(self, url: str, retries: int = RETRIES) -> bytes:
        """Return the body of `url` after redirects. Raises `Rejected` whatever goes wrong with the link."""
        try:
            return self._follow(url)
        except Rejected as rejected:
            if rejected.reason not in BUSY or not retries:
                raise
            time.sleep(min(max(rejected.pause, self.pause), LONGEST_PAUSE))
        return self.get(url, retries - 1)

    def _follow(self, url: str, checked: bool = True) -> bytes:
        for _ in range(1 + REDIRECTS):
            target = parsed(url)
            if checked and not self._robots.allow(target):
                raise Rejected("robots")
            with self._turn(str(target.host)):
                answer = self._request(target)
            if isinstance(answer, bytes):
                return answer
            url = urljoin(url, answer)
        raise Rejected("too_many_redirects")

    def _turn(self, host: str) -> threading.Semaphore:
        with self._lock:
            return self._turns[host]

    def _request(self, target: Url) -> bytes | str:
        """Return the body, or the address that the server redirects to."""
        port = target.port or {"http": 80, "https": 443}[str(target.scheme)]
        for address in self._checked(name_of(target), port):
            try:
                connection = socket.create_connection((str(address), port), self.timeout)
            except OSError:
                continue
            with connection, cut_off(connection, self.deadline) as expired:
                try:
                    return self._exchange(connection, target, expired)
                except (OSError, HTTPException, ValueError) as error:
                    raise Rejected(reason_of(error, expired)) from None
        raise Rejected("dead_host")

    def _checked(self, host: str, port: int) -> list[Address]:
        """Return the addresses of a host. Raises `Rejected` unless all of them may be connected to."""
        try:
            addresses = resolve(host, port)
        except (OSError, ValueError):
            raise Rejected("dead_host") from None
        if not all(may_connect(address, self.allowed) for address in addresses):
            raise Rejected("refused_address")
        return addresses

    def _exchange(self, connection: socket.socket, target: Url, expired: threading.Event) -> bytes | str:
        http = HTTPConnection(name_of(target))
        # An HTTPConnection that already has a socket opens no other.
        http.sock = connection
        if target.scheme == "https":
            http.sock = self._tls.wrap_socket(connection, server_hostname=name_of(target))
        headers = {"Host": str(target.netloc), "User-Agent": USER_AGENT, "Accept": "image/*", "Connection": "close"}
        with http.sock:
            http.request("GET", target.request_uri, headers=headers)
            response = http.getresponse()
            if refuses(response.headers.get_all("X-Robots-Tag", [])):
                raise Rejected("robots")
            if response.status in (301, 302, 303, 307, 308) and (location := response.headers["Location"]):
                return location
            if response.status != 200:
                asked = response.headers.get("Retry-After", "")
                raise Rejected(f"http_{response.status}", float(asked) if asked.isdecimal() else 0.0)
            return self._body(response, expired)

    def _body(self, response: HTTPResponse, expired: threading.Event) -> bytes:
        body = response.read(self.max_bytes + 1)
        if len(body) > self.max_bytes:
            raise Rejected("too_many_bytes")
        if expired.is_set() or response.length:
            raise Rejected("timeout" if expired.is_set() else "broken_connection")
        return body


@contextmanager
def cut_off(connection: socket.socket, seconds: float) -> Iterator[threading.Event]:
    """End everything that is read from or written to a connection after `seconds`. The event tells if that happened.

    A socket's own timeout starts anew with each byte, so a server could hold a thread for months.
    """
    expired, twin = threading.Event(), connection.dup()

    def expire() -> None:
        expired.set()
        with suppress(OSError):
            twin.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        yield expired
    finally:
        timer.cancel()
        twin.close()


def reason_of(error: Exception, expired: threading.Event) -> str:
    """Return the reason that the log counts for an exchange that failed."""
    if expired.is_set() or isinstance(error, TimeoutError):
        return "timeout"
    return "tls_error" if isinstance(error, ssl.SSLError) else "broken_connection"


def parsed(url: str) -> Url:
    """Split an http or https link into its parts, percent-encoded. Raises `Rejected` for anything else."""
    try:
        parts = parse_url(url.strip())
    except LocationParseError:
        raise Rejected("bad_url") from None
    if parts.scheme not in ("http", "https") or not parts.host:
        raise Rejected("bad_url")
    return parts


def name_of(target: Url) -> str:
    """Return the host without the brackets of an IPv6 address."""
    return str(target.host).strip("[]")


def refuses(headers: list[str]) -> bool:
    """Return True if `X-Robots-Tag` headers refuse use for machine learning or indexing.

    >>> refuses(["googlebot: NoAI, nofollow"]), refuses(["nofollow"])
    (True, False)
    """
    return any(word.strip().lower() in REFUSALS for header in headers for word in re.split("[,:]", header))
