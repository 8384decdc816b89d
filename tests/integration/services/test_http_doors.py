"""The HTTP door itself: links, TLS, slow clients, and what it stands on."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import ssl
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from structlog.testing import capture_logs

from omnireel.errors import FailedPrecondition, InvalidInput
from services.gateway.http.settings import HttpSettings
from services.gateway.main import GatewayServer
from services.gateway.settings import GatewaySettings
from tests.support.certificates import Authority
from tests.support.served import served

PATIENCE_S = 120.0
FREE = HttpSettings(listen="127.0.0.1:0")


def test_links_work_for_whoever_has_them(tmp_path: Path) -> None:
    with served(tmp_path, signing_key_file=tmp_path / "signing_key") as s:
        job_id = s.made()
        video = s.http.get(f"/api/v1/videos/{job_id}").json()["outputs"]["video"]
        link = video["signed_url"]
        assert link.startswith(f"{s.url}/links/")
        assert s.api.get(job_id).outputs.video.signed_url == link  # gRPC gives it too
        part = httpx2.get(link, headers={"Range": "bytes=4-7"}, timeout=PATIENCE_S)
        assert (part.status_code, part.content) == (206, b"ftyp")
        whole = httpx2.get(link, timeout=PATIENCE_S)
        assert hashlib.sha256(whole.content).hexdigest() == video["sha256"]
        assert httpx2.get(link[:-9] + "AAAAAAAAA", timeout=PATIENCE_S).status_code == 404
        # The content itself comes from here: there is no store to send readers to.
        assert s.http.get(f"/v1/videos/{job_id}/content").status_code == 200
        s.http.delete(f"/api/v1/videos/{job_id}")
        assert httpx2.get(link, timeout=PATIENCE_S).status_code == 404


def test_tls_is_that_of_the_gateway(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    pair = authority.issue("server")
    with served(tmp_path, FREE, tls_cert=pair.cert, tls_key=pair.key) as s:
        assert s.door.url.startswith("https://")
        context = ssl.create_default_context(cafile=str(authority.ca))
        assert (
            httpx2.get(f"{s.door.url}/healthz", verify=context, timeout=PATIENCE_S).status_code
            == 200
        )
        with pytest.raises(httpx2.HTTPError):
            httpx2.get(f"http://{s.door.address}/healthz")


def test_plain_text_stays_on_this_machine(tmp_path: Path, bare: GatewaySettings) -> None:
    with pytest.raises(InvalidInput, match=r"HTTP_LISTEN is 0.0.0.0:0.*plain text"):
        GatewayServer(bare, HttpSettings(listen="0.0.0.0:0"))


def test_a_taken_port_is_one_line(bare: GatewaySettings) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        server = GatewayServer(bare, HttpSettings(listen=address))
        with pytest.raises(FailedPrecondition, match=rf"cannot listen for HTTP on {address}"):
            server.start()
        server.stop(0)


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", b""),  # says nothing
        (b"GET /healthz HTT", b""),  # never ends its headers
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 9000, b"400"),
        (
            b"POST /v1/videos HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 50\r\nAuthorization: Bearer KEY\r\n\r\n{",
            b"408",  # never ends its body
        ),
    ],
)
def test_slow_and_loud_clients_are_left(tmp_path: Path, sent: bytes, answer: bytes) -> None:
    quick = HttpSettings(
        listen="127.0.0.1:0", header_timeout_s=0.2, idle_timeout_s=0.2, max_header_bytes=4096
    )
    with served(tmp_path, quick) as s:
        host, port = urlsplit(s.url).hostname, urlsplit(s.url).port
        with socket.create_connection((host, port), timeout=30) as client:
            client.sendall(sent.replace(b"KEY", s.key.encode()))
            received = b""
            try:
                while chunk := client.recv(4096):
                    received += chunk
            except ConnectionResetError:
                pass
        assert received.partition(b"\r\n")[0].split(b" ")[1:2] == ([answer] if answer else [])
        assert s.http.get("/healthz").status_code == 200


def test_a_request_is_one_name_in_logs_traces_and_answers(tmp_path: Path) -> None:
    with served(tmp_path, FREE) as s:
        trace = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
        headers = {"X-Request-Id": "my-1", "Traceparent": trace}
        body = {"prompt": {"text": "a"}}
        with capture_logs() as logs:
            created = s.http.post("/api/v1/videos", json=body, headers=headers)
            refused = s.http.get("/api/v1/videos/x", headers={"X-Request-Id": "no good\x7f"})
        assert created.headers["x-request-id"] == "my-1"
        assert re.fullmatch("[0-9a-f]{12}", refused.headers["x-request-id"])
        assert any(line["event"] == "request failed" for line in logs)
        (job,) = s.jobs.list_jobs("local", page_size=1).jobs
        assert job.traceparent.split("-")[1] == trace.split("-")[1]


def test_reading_slowly_is_no_crime(tmp_path: Path) -> None:
    quick = HttpSettings(listen="127.0.0.1:0", header_timeout_s=0.2)
    with served(tmp_path, quick) as s:
        host, port = urlsplit(s.url).hostname, urlsplit(s.url).port
        with socket.create_connection((host, port), timeout=30) as client:
            for _ in range(3):  # a connection that goes on is timed anew for each request
                client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                received = b""
                while not received.endswith(b"}"):
                    received += client.recv(4096)


def test_an_idle_gateway_is_small_and_has_no_torch(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from services.common.settings import load_settings
from services.gateway.http.settings import HttpSettings
from services.gateway.main import GatewayServer
from services.gateway.settings import GatewaySettings
server = GatewayServer(load_settings(GatewaySettings), load_settings(HttpSettings))
server.start()
heavy = {"torch", "transformers", "mlflow", "scipy", "matplotlib"} & set(sys.modules)
pages = int(Path("/proc/self/statm").read_text().split()[1])
print(sorted(heavy), pages * 4096 >> 20)
server.stop(0)
"""
    environment = {
        "OMNIREEL_GATEWAY_LISTEN": "127.0.0.1:0",
        "OMNIREEL_GATEWAY_HTTP_LISTEN": "127.0.0.1:0",
        "OMNIREEL_GATEWAY_DATABASE_URL": f"sqlite:///{tmp_path / 'jobs.db'}",
        "OMNIREEL_GATEWAY_STORE_URL": (tmp_path / "objects").as_uri(),
        "OMNIREEL_GATEWAY_KEY_FILE": str(tmp_path / "api_key"),
        "OMNIREEL_GATEWAY_SIGNING_KEY_FILE": str(tmp_path / "signing_key"),
    }
    for service in ("PROMPT_ENHANCER", "GENERATOR", "SUPER_RESOLVER"):
        environment[f"OMNIREEL_GATEWAY_{service}"] = "127.0.0.1:1"
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    heavy, _, mebibytes = result.stdout.splitlines()[-1].rpartition(" ")
    assert heavy == "[]"
    assert int(mebibytes) < 200


@pytest.fixture
def bare(tmp_path: Path) -> GatewaySettings:
    """A gateway before models that are not there."""
    return GatewaySettings(
        listen="127.0.0.1:0",
        database_url=f"sqlite:///{tmp_path / 'jobs.db'}",
        store_url=(tmp_path / "objects").as_uri(),
        key_file=tmp_path / "api_key",
        prompt_enhancer="127.0.0.1:1",
        generator="127.0.0.1:1",
        super_resolver="127.0.0.1:1",
    )
