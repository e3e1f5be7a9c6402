"""A real HTTP server on 127.0.0.1 that answers as links of a large data set do: well, badly, or not at all."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network

LOOPBACK = [ip_network("127.0.0.1/32")]


@dataclass
class Page:
    """What the server answers; `trickle` sends a byte of the body every so many seconds, `cut` closes before the last byte."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    trickle: float = 0.0
    cut: bool = False
    # Answers with this page the first time that it is asked.
    first: Page | None = None
    before: Callable[[], object] = lambda: None


class Web:
    """Serves `pages` by path, and counts in `asked` how often each was asked for."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: Counter[str] = Counter()
        self.agents: set[str] = set()
        self.busy, self.busiest = 0, 0
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def handler(web) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/robots.txt" and self.path not in web.pages:
                    self.send_error(404)
                    return
                with web.lock:
                    web.asked[self.path] += 1
                    web.agents.add(self.headers["User-Agent"])
                    web.busy += 1
                    web.busiest = max(web.busiest, web.busy)
                try:
                    page = web.pages[self.path]
                    page.before()
                finally:  # before the answer: who has it may ask again at once
                    with web.lock:
                        web.busy -= 1
                self.answer(page.first if page.first and web.asked[self.path] == 1 else page)

            def answer(self, page: Page) -> None:
                self.send_response(page.status)
                for name, value in ({"Content-Length": str(len(page.body))} | page.headers).items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    if not page.trickle:
                        self.wfile.write(page.body[:-1] if page.cut else page.body)
                    for byte in page.body if page.trickle else b"":
                        self.wfile.write(bytes([byte]))
                        time.sleep(page.trickle)
                except OSError:
                    pass  # The client has had enough.

            def log_message(self, *args: object) -> None:
                pass

        return Handler
