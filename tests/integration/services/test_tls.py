"""TLS and mTLS on real ports, with certificates of a real authority."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from omnireel.api.v1 import video_pb2
from omnireel.cli.connection import open_client
from omnireel.client import OmnireelClient, tls_credentials
from omnireel.errors import InvalidInput, Unavailable
from services.common.server import RpcServer
from services.common.settings import ServiceSettings
from services.common.tls import ClientTls, ServerTls, open_channel
from services.gateway.http.settings import HttpSettings
from services.gateway.main import GatewayServer
from services.gateway.settings import GatewaySettings
from services.worker.runner import JobRunner, RunnerConfig
from tests.support.certificates import Authority
from tests.support.job_runs import bench
from tests.support.stack import Api

SERVING = health_pb2.HealthCheckResponse.SERVING


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


def serving(address: str, tls: ClientTls | None) -> bool:
    """Whether health can be asked at ``address`` in this way."""
    with open_channel(address, tls, (("grpc.enable_http_proxy", 0),)) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            return bool(stub.Check(health_pb2.HealthCheckRequest(), timeout=5).status == SERVING)
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            return False


def server(**settings: Any) -> RpcServer:
    made = RpcServer(ServiceSettings(listen="127.0.0.1:0", **settings), ())
    made.health.set_serving(True)
    return made


def test_tls(authority: Authority, stranger: Authority) -> None:
    pair = authority.issue("plain-tls")
    with server(tls_cert=pair.cert, tls_key=pair.key) as running:
        assert serving(running.address, ClientTls(authority.ca))
        assert not serving(running.address, ClientTls(stranger.ca))
        assert not serving(running.address, None)


def test_mutual_tls_with_probes_in_plain_text(
    authority: Authority, stranger: Authority, tmp_path: Path
) -> None:
    pair, caller = authority.issue("mutual"), authority.issue("caller")
    forged = stranger.issue("caller")
    with server(
        tls_cert=pair.cert,
        tls_key=pair.key,
        tls_client_ca=authority.ca,
        health_listen="127.0.0.1:0",
        health_address_file=tmp_path / "probe",
    ) as running:
        assert serving(running.address, ClientTls(authority.ca, caller.cert, caller.key))
        assert not serving(running.address, ClientTls(authority.ca))
        assert not serving(running.address, ClientTls(authority.ca, forged.cert, forged.key))
        probe = (tmp_path / "probe").read_text().strip()
        assert probe == running.health_address != running.address
        assert serving(probe, None)
        running.health.set_serving(False)
        assert not serving(probe, None)


def test_a_renewed_certificate_is_taken_up(authority: Authority, tmp_path: Path) -> None:
    old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
    pair = old.issue("server")
    with server(tls_cert=pair.cert, tls_key=pair.key) as running:
        assert serving(running.address, ClientTls(old.ca))
        pair.key.write_text("half writ")
        _touch(pair.key)
        assert serving(running.address, ClientTls(old.ca))
        _touch(new.issue("server").cert)
        assert serving(running.address, ClientTls(new.ca))
        assert not serving(running.address, ClientTls(old.ca))


def test_the_http_door_takes_it_up_and_loses_no_connection(tmp_path: Path) -> None:
    old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
    pair = old.issue("server")
    settings = GatewaySettings(
        listen="127.0.0.1:0",
        database_url=f"sqlite:///{tmp_path / 'jobs.db'}",
        store_url=(tmp_path / "store").as_uri(),
        key_file=tmp_path / "key",
        tls_cert=pair.cert,
        tls_key=pair.key,
        **dict.fromkeys(("prompt_enhancer", "generator", "super_resolver"), "127.0.0.1:1"),
    )
    before, after = (ssl.create_default_context(cafile=each.ca) for each in (old, new))
    with (
        GatewayServer(settings, HttpSettings(listen="127.0.0.1:0")) as gateway,
        httpx2.Client(verify=before, timeout=60) as kept,
    ):
        assert gateway.http is not None
        url = f"https://{gateway.http.address}/healthz"
        assert kept.get(url).status_code == 200
        _touch(new.issue("server").cert)
        assert httpx2.get(url, verify=after, timeout=60).status_code == 200
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(url, verify=before, timeout=60)
        assert kept.get(url).status_code == 200  # on the connection that it had


def _touch(path: Path) -> None:
    """Another time than before, whatever the clock's resolution."""
    later = path.stat().st_mtime_ns + 1_000_000_000
    os.utime(path, ns=(later, later))


def test_wrong_files_are_named(authority: Authority, tmp_path: Path) -> None:
    one, other = authority.issue("one"), authority.issue("other")
    with pytest.raises(InvalidInput, match="no certificate and its key"):
        ServerTls(one.cert, other.key).credentials()
    with pytest.raises(InvalidInput, match="nothing"):
        ServerTls(tmp_path / "nothing", one.key).credentials()
    with pytest.raises(InvalidInput, match="nothing"):
        ClientTls(tmp_path / "nothing").credentials()


@pytest.fixture(scope="module")
def closed(
    authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str, str]]:
    """A whole installation with mTLS inside and TLS at its door; address, key and a job's name."""
    folder = tmp_path_factory.mktemp("closed")
    door, inside, caller = (authority.issue(name) for name in ("door", "inside", "caller"))
    tls = ClientTls(authority.ca, caller.cert, caller.key)
    mutual = {"tls_cert": inside.cert, "tls_key": inside.key, "tls_client_ca": authority.ca}
    with bench(folder, tls=tls, **mutual) as made:
        settings = GatewaySettings(
            listen="127.0.0.1:0",
            database_url=f"sqlite:///{folder / 'jobs.db'}",
            store_url=made.store_url,
            key_file=folder / "api_key",
            tls_cert=door.cert,
            tls_key=door.key,
            models_ca=authority.ca,
            models_cert=caller.cert,
            models_key=caller.key,
            **made.addresses,
        )
        with GatewayServer(settings) as gateway:
            key = (folder / "api_key").read_text().strip()
            api = Api(gateway.address, key, tls_credentials(authority.ca))
            job_id = api.create()
            made.clock.now = 2e9
            JobRunner(made.jobs, made.store, made.clients, RunnerConfig("w1")).run(job_id)
            yield gateway.address, key, job_id
            api.close()


def test_a_video_through_mutual_tls(authority: Authority, closed: tuple[str, str, str]) -> None:
    address, key, job_id = closed
    credentials = tls_credentials(authority.ca)
    with OmnireelClient(address, credentials=credentials, api_key=key) as client:
        assert client.get(job_id).state == video_pb2.VIDEO_STATE_SUCCEEDED
    with OmnireelClient(address, api_key=key) as client, pytest.raises(Unavailable):
        client.get(job_id)


def test_the_command_line_finds_its_tls_in_the_environment(
    authority: Authority,
    closed: tuple[str, str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address, key, job_id = closed
    monkeypatch.setenv("OMNIREEL_TLS", str(authority.ca))
    monkeypatch.setenv("A_KEY", key)
    with open_client(address, "env:A_KEY") as client:
        assert client.get(job_id).name == f"videos/{job_id}"
    monkeypatch.setenv("OMNIREEL_TLS", "nothing")
    with pytest.raises(InvalidInput, match="nothing"):
        open_client(address, "env:A_KEY")
