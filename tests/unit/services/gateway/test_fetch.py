"""Media by address: off, and on within bounds."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from omnireel.api.v1 import mvl_pb2, video_pb2
from omnireel.errors import InvalidInput, Unavailable
from omnireel.store import ObjectStore, open_store
from services.common.http_target import HttpPolicy
from services.common.safe_http import SafeHttp
from services.common.sandbox import MediaSandbox, SandboxConfig
from services.common.storage.policy import StoragePolicy
from services.common.storage.records import StorageRecords
from services.gateway.fetch import MAX_FETCHES, Fetcher
from services.gateway.settings import GatewaySettings
from services.gateway.upload import Uploads
from tests.support.hostile_media import image
from tests.support.jobs import Clock, new_store

PNG = image()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        body = {"/a.png": PNG, "/text": b"hello " * 9, "/empty": b""}.get(self.path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        return


@pytest.fixture
def web() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store((tmp_path / "objects").as_uri())


@pytest.fixture
def uploads(tmp_path: Path, store: ObjectStore) -> Iterator[Uploads]:
    jobs = new_store(tmp_path, Clock())
    sandbox = MediaSandbox(config=SandboxConfig(processes=1))
    yield Uploads(StorageRecords(jobs.database, StoragePolicy()), store, sandbox)
    sandbox.close()
    jobs.close()


def fetcher(uploads: Uploads, port: int, **more: Any) -> Fetcher:
    networks = (ipaddress.ip_network("127.0.0.0/8"),)
    given = {"allow_networks": networks, "max_bytes": 100_000, "timeout_s": 10.0, **more}
    return Fetcher(uploads, SafeHttp(HttpPolicy(frozenset({"http"}), frozenset({port}), **given)))


def request(*addresses: str, elements: tuple[str, ...] = ()) -> video_pb2.CreateVideoRequest:
    made = video_pb2.CreateVideoRequest()
    for number, address in enumerate(addresses):
        made.prompt.inputs.add(name=f"A{number}", kind=mvl_pb2.MEDIA_KIND_IMAGE, uri=address)
    if elements:
        made.prompt.elements.add(name="E", uris=elements)
    return made


def test_it_is_off_and_narrow_by_default(settings: GatewaySettings) -> None:
    assert settings.fetch_urls == "off"
    policy = settings.fetch_policy
    assert (policy.schemes, policy.ports, policy.allow_networks) == ({"https"}, {443}, ())
    opened = settings.model_copy(update={"fetch_networks": (ipaddress.ip_network("10.1.0.0/16"),)})
    assert opened.fetch_policy.allow_networks


def test_addresses_become_the_callers_media(
    web: ThreadingHTTPServer, uploads: Uploads, store: ObjectStore
) -> None:
    address = f"http://127.0.0.1:{web.server_port}/a.png"
    given = request(address, "file:///kept", elements=(address, "other"))
    local = fetcher(uploads, web.server_port).localise("me", given)
    first, second = (declared.uri for declared in local.prompt.inputs)
    assert store.get(first) == PNG and second == "file:///kept"
    assert list(local.prompt.elements[0].uris) == [first, "other"]
    assert given.prompt.inputs[0].uri == address
    assert web.asked == ["/a.png"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("path", "says"), [("/text", "a text file"), ("/gone", "HTTP 404"), ("/empty", "nothing")]
)
def test_what_is_no_media_names_the_field(
    web: ThreadingHTTPServer, uploads: Uploads, store: ObjectStore, path: str, says: str
) -> None:
    address = f"http://127.0.0.1:{web.server_port}{path}"
    with pytest.raises(InvalidInput, match=says) as caught:
        fetcher(uploads, web.server_port).localise("me", request("kept", address))
    assert caught.value.violations[0].field == "prompt.inputs[1].uri"
    assert list(store.list()) == []


def test_nothing_private_is_asked(web: ThreadingHTTPServer, uploads: Uploads) -> None:
    port = web.server_port
    closed = fetcher(uploads, port, allow_networks=())
    for host in ("127.0.0.1", "localhost", "2130706433", "[::1]", "169.254.169.254"):
        with pytest.raises(InvalidInput, match=r"public|no host") as caught:
            closed.localise("me", request(elements=(f"http://{host}:{port}/a.png",)))
        assert caught.value.violations[0].field == "prompt.elements[0].uris[0]"
    assert web.asked == []  # type: ignore[attr-defined]


def test_bounds(web: ThreadingHTTPServer, uploads: Uploads) -> None:
    address = f"http://127.0.0.1:{web.server_port}/a.png"
    with pytest.raises(InvalidInput, match="more than 10 bytes"):
        fetcher(uploads, web.server_port, max_bytes=10).localise("me", request(address))
    with pytest.raises(InvalidInput, match="at most 16"):
        fetcher(uploads, web.server_port).localise("me", request(*[address] * (MAX_FETCHES + 1)))
    with pytest.raises(Unavailable):
        fetcher(uploads, 9).localise("me", request("http://127.0.0.1:9/x"))
