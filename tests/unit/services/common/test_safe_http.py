from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from omnireel.errors import InvalidInput, Unavailable
from services.common.http_target import HttpPolicy, is_allowed, resolve_target
from services.common.safe_http import SafeHttp

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


class Handler(BaseHTTPRequestHandler):
    """``/N`` redirects N times; other paths are described at their ``do_GET`` branch."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path[1:].isdigit() and path != "/0":
            self._redirect(f"/{int(path[1:]) - 1}")
        elif path == "/to-metadata":
            self._redirect("http://169.254.169.254/latest/meta-data")
        elif path == "/to-file":
            self._redirect("file:///etc/passwd")
        elif path == "/endless":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"x" * 4096)
            except OSError:
                return
        elif path == "/drip":
            self.server.stop.wait(5)  # type: ignore[attr-defined]
        elif path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"half")
        else:
            self._answer(f"{self.headers['Host']} {self.path}".encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/0":
            self._answer(body + b" " + self.headers["X-Mark"].encode())
        else:
            self._redirect("/0")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        return

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _redirect(self, to: str) -> None:
        self.send_response(302)
        self.send_header("Location", to)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.stop = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_port
    server.stop.set()  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


def open_policy(port: int, **more: Any) -> HttpPolicy:
    return HttpPolicy(frozenset({"http"}), frozenset({port}), LOOPBACK, **more)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1",
        "100.64.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255", "198.18.0.1",
        "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::7f00:1",
        "2002:7f00:1::", "2002:a00:1::", "2001:0:7f00:1::", "not an address", "",
    ],
)  # fmt: skip
def test_what_is_not_public_is_refused(address: str) -> None:
    assert not is_allowed(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_what_is_public_is_allowed(address: str) -> None:
    assert is_allowed(address)


def test_networks_can_be_allowed() -> None:
    assert is_allowed("127.0.0.1", LOOPBACK)
    assert is_allowed("::ffff:127.0.0.1", LOOPBACK)
    assert not is_allowed("10.0.0.1", LOOPBACK)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]", "[::ffff:7f00:1]",
     "localhost", "localhost.", "0"],
)  # fmt: skip
def test_every_spelling_of_this_machine_is_refused(host: str) -> None:
    policy = HttpPolicy(frozenset({"http"}), frozenset({80}))
    with pytest.raises(InvalidInput, match=r"public|no host") as caught:
        resolve_target(f"http://{host}/", policy, field="uri")
    assert caught.value.violations[0].field == "uri"
    assert "127" not in str(caught.value).replace(host, "")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://example.com/", "must begin with https://"),
        ("file:///etc/passwd", "must begin with"),
        ("http://1.1.1.1/", "must begin with https://"),
        ("https://1.1.1.1:22/", "port 22 is not allowed"),
        ("https://1.1.1.1:99999/", "no URL"),
        ("https://user:secret@1.1.1.1/", "user name"),
        ("https://1.1.1.1\\@127.0.0.1/", "plain URL"),
        ("https://1.1.1.1/ a", "plain URL"),
        ("https://1.1.1.1/\r\nX: y", "plain URL"),
        ("https://1.1.1.1%00.x/", "plain host"),
        ("https:///path", "host name"),
        ("https://[::1/", "no URL"),
        ("https://" + "a" * 3000, "characters"),
        ("https://" + "a" * 70 + ".org/", "no host name"),
        ("", "must begin with"),
    ],
)
def test_urls_that_are_refused_before_anything_is_resolved(url: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        resolve_target(url, HttpPolicy(), field="uri")
    assert caught.value.violations[0].field == "uri"


def test_one_private_address_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(0, 0, 0, "", (address, 443)) for address in ("1.1.1.1", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: both)
    with pytest.raises(InvalidInput, match="public"):
        resolve_target("https://two.example/", HttpPolicy())


def test_the_checked_address_is_the_one_connected_to(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that answers with another address the second time."""
    answers = iter(["127.0.0.1"])
    real = socket.getaddrinfo

    def rebinding(host: str, *args: Any, **kwargs: Any) -> Any:
        return real(next(answers) if host == "rebind.example" else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    answer = SafeHttp(open_policy(port)).get(f"http://rebind.example:{port}/a?b=c")
    assert answer.body == f"rebind.example:{port} /a?b=c".encode()


def test_fetching_needs_the_allow_list(port: int) -> None:
    url = f"http://127.0.0.1:{port}/0"
    assert SafeHttp(open_policy(port)).get(url).status == 200
    with pytest.raises(InvalidInput, match="public"):
        SafeHttp(replace(open_policy(port), allow_networks=())).get(url)
    with pytest.raises(InvalidInput, match="not allowed"):
        SafeHttp(open_policy(port + 1)).get(url)


def test_redirects_are_bounded_and_checked_anew(port: int) -> None:
    client = SafeHttp(open_policy(port))
    assert client.get(f"http://127.0.0.1:{port}/3").url == f"http://127.0.0.1:{port}/0"
    with pytest.raises(InvalidInput, match="more than 3 times"):
        client.get(f"http://127.0.0.1:{port}/4")
    with pytest.raises(InvalidInput, match="port 80 is not allowed"):
        client.get(f"http://127.0.0.1:{port}/to-metadata")
    wide = SafeHttp(replace(open_policy(port), ports=frozenset({80, port})))
    with pytest.raises(InvalidInput, match="public"):
        wide.get(f"http://127.0.0.1:{port}/to-metadata")
    with pytest.raises(InvalidInput, match="must begin"):
        client.get(f"http://127.0.0.1:{port}/to-file")


def test_size_and_time_are_bounded(port: int) -> None:
    with pytest.raises(InvalidInput, match="more than 100000 bytes"):
        SafeHttp(open_policy(port, max_bytes=100_000)).get(f"http://127.0.0.1:{port}/endless")
    with pytest.raises(InvalidInput, match="more than 3 bytes"):
        SafeHttp(open_policy(port, max_bytes=3)).get(f"http://127.0.0.1:{port}/0")
    with pytest.raises(Unavailable, match="in time"):
        SafeHttp(open_policy(port, timeout_s=0.2)).get(f"http://127.0.0.1:{port}/drip")


@pytest.mark.parametrize("head", [b"", b"HTTP/1.0 200 OK\r\n\r\n"])
def test_a_peer_that_drips_is_cut_at_the_deadline(head: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def drip() -> None:
            peer, _ = server.accept()
            with peer:
                try:
                    peer.sendall(head)
                    while not stop.wait(0.02):
                        peer.sendall(b"H")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        port = server.getsockname()[1]
        with pytest.raises(Unavailable):
            SafeHttp(open_policy(port, timeout_s=0.3)).get(f"http://127.0.0.1:{port}/")
        stop.set()
        thread.join()


def test_a_cut_answer_is_no_answer(port: int) -> None:
    with pytest.raises(Unavailable):
        SafeHttp(open_policy(port)).get(f"http://127.0.0.1:{port}/cut")


def test_post_sends_the_body_and_follows_nothing(port: int) -> None:
    client = SafeHttp(open_policy(port))
    answer = client.post(f"http://127.0.0.1:{port}/0", b"hello", {"X-Mark": "m"})
    assert (answer.status, answer.body) == (200, b"hello m")
    assert client.post(f"http://127.0.0.1:{port}/1", b"hello", {}).status == 302


def test_nobody_listens(port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    with pytest.raises(Unavailable, match="did not answer"):
        SafeHttp(open_policy(free)).get(f"http://127.0.0.1:{free}/")
