"""The fetcher against a real server on loopback, the one network that is allowed here; no packet leaves the machine."""

import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address, ip_network

import pytest

from fcr_core.data.addresses import may_connect
from fcr_core.data.fetch import USER_AGENT, Fetcher
from fcr_core.data.rejected import Rejected

from ..web import LOOPBACK, Page, Web


@pytest.fixture
def web():
    served = Web()
    yield served
    served.close()


def reason(url: str, **options) -> str:
    with pytest.raises(Rejected) as raised:
        Fetcher(LOOPBACK, pause=0.01, **options).get(url)
    return raised.value.reason


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_a_body_arrives_as_it_is_and_the_agent_says_who_asks(web):
    web.pages["/a%20b?c=1"] = Page(b"\x00\xff" * 50_000)
    assert Fetcher(LOOPBACK).get(web.url("/a b?c=1#part")) == b"\x00\xff" * 50_000
    assert web.agents == {USER_AGENT}


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "2002:7f00:1::", "2001:0:4136:e378:8000:63bf:f5ff:fffe",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public_are_refused(address):
    assert not may_connect(ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"])
def test_public_addresses_are_not(address):
    assert may_connect(ip_address(address))


def test_an_address_is_allowed_by_its_network_alone():
    assert may_connect(ip_address("127.0.0.1"), LOOPBACK) and may_connect(ip_address("::ffff:127.0.0.1"), LOOPBACK)
    assert not may_connect(ip_address("127.0.0.2"), LOOPBACK) and not may_connect(ip_address("10.0.0.1"), LOOPBACK)


def test_loopback_is_refused_where_it_is_not_allowed(web):
    web.pages["/"] = Page(b"x")
    with pytest.raises(Rejected, match="refused_address"):
        Fetcher().get(web.url("/"))
    assert not web.asked


@pytest.mark.parametrize(
    "target", ["http://10.0.0.1/", "http://127.0.0.2:{port}/b", "//127.0.0.2:{port}/b", "http://0x7f000002:{port}/b"]
)
def test_a_redirect_to_a_private_address_is_refused(web, target):
    web.pages["/a"] = Page(status=302, headers={"Location": target.format(port=web.server.server_port)})
    web.pages["/b"] = Page(b"secret")
    assert reason(web.url("/a")) == "refused_address"
    assert set(web.asked) == {"/a"}


def test_a_name_is_resolved_once_and_the_connection_made_to_the_address_that_was_checked(web):
    """So a name server that answers something else the second time (DNS rebinding) is not asked a second time."""
    web.pages["/"] = Page(b"x")
    events, recording = [], True
    sys.addaudithook(lambda event, args: events.append((event, args)) if recording and event.startswith("socket.") else None)
    assert Fetcher([*LOOPBACK, ip_network("::1/128")]).get(f"http://localhost:{web.server.server_port}/") == b"x"
    recording = False
    resolved = [args[0] for event, args in events if event == "socket.getaddrinfo"]
    assert resolved.count("localhost") == 2  # of robots.txt and of the link
    assert all(ip_address(host).is_loopback for host in resolved if host != "localhost")
    assert ("127.0.0.1", web.server.server_port) in [args[1] for event, args in events if event == "socket.connect"]


def test_redirects_are_followed_a_few_times(web):
    web.pages["/a"] = Page(status=301, headers={"Location": "/dir/b"})
    web.pages["/dir/b"] = Page(status=307, headers={"Location": "c"})
    web.pages["/dir/c"] = Page(b"there")
    web.pages["/loop"] = Page(status=302, headers={"Location": "/loop"})
    assert Fetcher(LOOPBACK).get(web.url("/a")) == b"there"
    assert reason(web.url("/loop")) == "too_many_redirects"
    assert web.asked["/loop"] == 5


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/a", "file:///etc/passwd", "http://", "127.0.0.1/a", "http://[::1", "http://a b/", ""]
)
def test_only_http_and_https_are_spoken(url):
    assert reason(url) == "bad_url"


def test_a_redirect_to_another_scheme_is_refused(web):
    web.pages["/"] = Page(status=302, headers={"Location": "file:///etc/passwd"})
    assert reason(web.url("/")) == "bad_url"


def test_a_host_that_is_not_there_is_dead():
    assert reason(f"http://127.0.0.1:{closed_port()}/a.jpg") == "dead_host"


def test_statuses_are_reasons_and_only_busy_servers_are_asked_again(web):
    web.pages["/gone"] = Page(b"x", status=404)
    web.pages["/busy"] = Page(b"x", status=503)
    web.pages["/soon"] = Page(b"x", first=Page(status=429, headers={"Retry-After": "0"}))
    assert reason(web.url("/gone")) == "http_404" and reason(web.url("/busy")) == "http_503"
    assert Fetcher(LOOPBACK, pause=0.01).get(web.url("/soon")) == b"x"
    assert web.asked == {"/gone": 1, "/busy": 3, "/soon": 2}


@pytest.mark.parametrize("header", ["noai", "NoImageAI, nofollow", "otherbot: noindex", "noimageindex"])
def test_a_refusal_by_header_is_respected(web, header):
    web.pages["/"] = Page(b"x", headers={"X-Robots-Tag": header})
    assert reason(web.url("/")) == "robots"


def test_robots_txt_is_respected_and_read_once_a_site(web):
    web.pages["/robots.txt"] = Page(b"User-agent: fcr-dataset-downloader\nDisallow: /private\nUser-agent: *\nDisallow: /")
    web.pages |= {path: Page(b"image") for path in ("/open/1", "/open/2", "/private/1")}
    fetcher = Fetcher(LOOPBACK)
    assert [fetcher.get(web.url(f"/open/{i}")) for i in (1, 2)] == [b"image", b"image"]
    with pytest.raises(Rejected, match="robots"):
        fetcher.get(web.url("/private/1"))
    assert web.asked["/robots.txt"] == 1 and not web.asked["/private/1"]


@pytest.mark.parametrize("status, allowed", [(404, True), (403, True), (503, False)])
def test_a_site_without_robots_txt_allows_all_and_one_that_fails_to_answer_nothing(web, status, allowed):
    web.pages |= {"/robots.txt": Page(status=status), "/": Page(b"image")}
    if allowed:
        assert Fetcher(LOOPBACK).get(web.url("/")) == b"image"
    else:
        with pytest.raises(Rejected, match="robots"):
            Fetcher(LOOPBACK, pause=0).get(web.url("/"))


def test_bytes_are_capped_whatever_length_the_server_states(web):
    web.pages["/honest"] = Page(b"x" * 1001)
    web.pages["/endless"] = Page(b"x" * 100_000, headers={"Content-Length": "", "Connection": "close"})
    web.pages["/fits"] = Page(b"x" * 1000)
    assert reason(web.url("/honest"), max_bytes=1000) == reason(web.url("/endless"), max_bytes=1000) == "too_many_bytes"
    assert len(Fetcher(LOOPBACK, max_bytes=1000).get(web.url("/fits"))) == 1000


def test_a_body_that_stops_early_is_not_taken(web):
    web.pages["/"] = Page(b"x" * 1000, cut=True)
    assert reason(web.url("/")) == "broken_connection"


def test_a_body_that_trickles_ends_at_the_deadline(web):
    web.pages["/"] = Page(b"x" * 1000, trickle=0.05)
    assert reason(web.url("/"), deadline=0.3) == "timeout"


def test_headers_that_trickle_end_at_the_deadline_and_silence_at_the_timeout():
    def serve(send: bytes) -> str:
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def answer() -> None:
                connection, _ = listener.accept()
                with connection:
                    try:
                        while send:
                            connection.sendall(send)
                            time.sleep(0.05)
                        done.wait(10)
                    except OSError:
                        pass

            done = threading.Event()
            threading.Thread(target=answer, daemon=True).start()
            found = reason(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout=0.2, deadline=0.5)
            done.set()
            return found

    assert serve(b"H") == "timeout" and serve(b"") == "timeout"


def test_one_host_is_not_asked_more_than_twice_at_a_time(web):
    web.pages["/"] = Page(b"x", before=lambda: time.sleep(0.05))
    fetcher = Fetcher(LOOPBACK)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(fetcher.get, [web.url("/")] * 12)) == [b"x"] * 12
    assert web.busiest == 2


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
def test_certificates_are_checked_by_the_name_and_not_by_the_address(web, tmp_path, monkeypatch):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    web.server.socket = context.wrap_socket(web.server.socket, server_side=True)
    web.pages["/"] = Page(b"private")
    both = [*LOOPBACK, ip_network("::1/128")]
    port = web.server.server_port
    with pytest.raises(Rejected, match="tls_error"):
        Fetcher(both).get(f"https://localhost:{port}/")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert Fetcher(both).get(f"https://localhost:{port}/") == b"private"
    with pytest.raises(Rejected, match="tls_error"):
        Fetcher(both).get(f"https://127.0.0.1:{port}/")
