"""Fetch one link safely and politely: public addresses only, a cap on bytes, time and redirects, refusals respected."""

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
# What img2dataset takes for a refusal as well. One that is addressed to another robot counts too.
REFUSALS = {"noai", "noimageai", "noindex", "noimageindex"}
REDIRECTS = 4
# Answers after which the same link is tried again, how often, and how long a server may make us wait for that (seconds).
BUSY = {"http_429", "http_502", "http_503", "http_504"}
RETRIES = 2
LONGEST_PAUSE = 30.0


class Fetcher:
    """Fetches links from several threads, at most `per_host` of one host at a time.

    A host is resolved once a request, all its addresses are checked, and the connection is made to an address that was checked:
    a name that later resolves to something else (DNS rebinding) gains nothing. `allowed` lists networks that may be reached
    though they are not public. No proxy is used, as it would resolve names itself.

    `max_bytes` caps a body; `timeout` (seconds) each wait, `deadline` a whole exchange, headers that trickle included; `pause`
    is the least wait before a busy server is asked again.
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
        """The body of `url` after redirects; raises `Rejected` whatever goes wrong with the link."""
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
        """The body, or where the server sends us."""
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
        """The addresses of a host, all of which may be connected to."""
        try:
            addresses = resolve(host, port)
        except (OSError, ValueError):
            raise Rejected("dead_host") from None
        if not all(may_connect(address, self.allowed) for address in addresses):
            raise Rejected("refused_address")
        return addresses

    def _exchange(self, connection: socket.socket, target: Url, expired: threading.Event) -> bytes | str:
        http = HTTPConnection(name_of(target))
        # A connection that has its socket makes no other.
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
    """End whatever is read from or written to a connection after so many seconds; the event says that this happened.

    A socket's own timeout begins anew with each byte, so a server could hold a thread for months.
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
    """What the log counts for an exchange that failed."""
    if expired.is_set() or isinstance(error, TimeoutError):
        return "timeout"
    return "tls_error" if isinstance(error, ssl.SSLError) else "broken_connection"


def parsed(url: str) -> Url:
    """The parts of an http or https link, percent-encoded; raises `Rejected` for anything else."""
    try:
        parts = parse_url(url.strip())
    except LocationParseError:
        raise Rejected("bad_url") from None
    if parts.scheme not in ("http", "https") or not parts.host:
        raise Rejected("bad_url")
    return parts


def name_of(target: Url) -> str:
    """The host without the brackets of an IPv6 address."""
    return str(target.host).strip("[]")


def refuses(headers: list[str]) -> bool:
    """Whether `X-Robots-Tag` headers refuse use for machine learning or indexing.

    >>> refuses(["googlebot: NoAI, nofollow"]), refuses(["nofollow"])
    (True, False)
    """
    return any(word.strip().lower() in REFUSALS for header in headers for word in re.split("[,:]", header))
