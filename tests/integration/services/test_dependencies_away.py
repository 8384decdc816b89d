"""A database or an object store goes away: calls say so and when to ask again; all else goes on."""

from __future__ import annotations

from pathlib import Path

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from omnireel.api.v1 import media_pb2, video_pb2
from omnireel.media import write_png
from services.common.health import LIVENESS, READINESS
from services.common.jobs.database import Database
from services.common.jobs.migrate import upgrade
from services.gateway.http.settings import HttpSettings
from services.gateway.main import GatewayServer
from services.gateway.settings import GatewaySettings
from tests.support.s3_server import build, go_toolchain, running_s3_server
from tests.support.served import Served, served
from tests.support.servers import running_postgres
from tests.support.stack import Api

PNG = write_png(np.zeros((40, 70, 3), np.uint8))


def refusal(error: grpc.RpcError) -> tuple[str, str, float]:
    """Code, reason, and in how many seconds to ask again."""
    status = rpc_status.from_call(error)
    assert status is not None
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(retry)
    return error.code().name, info.reason, retry.retry_delay.ToMilliseconds() / 1000


def probes(running: Served) -> list[int]:
    """What liveness and readiness say."""
    with grpc.insecure_channel(running.server.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        return [
            stub.Check(health_pb2.HealthCheckRequest(service=name)).status
            for name in (LIVENESS, READINESS)
        ]


def test_a_database_that_is_away(tmp_path: Path) -> None:
    with running_postgres() as postgres:
        url = postgres.new_database()
        database = Database(url)
        upgrade(database)
        database.close()
        with served(tmp_path, database_url=url) as running:
            job_id = running.create()
            before = probes(running)
            postgres.server.kill()
            with pytest.raises(grpc.RpcError) as caught:
                running.api.get(job_id)
            code, reason, again_s = refusal(caught.value)
            assert (code, reason) == ("UNAVAILABLE", "DATABASE_AWAY") and again_s > 0
            answer = running.http.get(f"/api/v1/videos/{job_id}")
            assert answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1
            assert answer.json()["details"][0]["reason"] == "DATABASE_AWAY"
            assert probes(running) == before
            assert running.http.get("/readyz").status_code == 200
            postgres.server.start()
            assert running.http.get(f"/api/v1/videos/{job_id}").status_code == 200
            assert running.api.get(job_id).state == video_pb2.VIDEO_STATE_QUEUED


@pytest.mark.timeout(1200)  # the first run builds the server
def test_an_object_store_that_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = go_toolchain()
    (tmp_path / "s3").mkdir()
    with running_s3_server(build(go), tmp_path / "s3") as store:
        monkeypatch.setenv("TEST_S3_ACCESS", store.access_key)
        monkeypatch.setenv("TEST_S3_SECRET", store.secret_key)
        settings = GatewaySettings(
            listen="127.0.0.1:0",
            database_url=f"sqlite:///{tmp_path / 'jobs.db'}",
            store_url=f"s3://bucket/x?endpoint={store.endpoint}"
            "&access_key_env=TEST_S3_ACCESS&secret_key_env=TEST_S3_SECRET",
            key_file=tmp_path / "key",
            prompt_enhancer="127.0.0.1:1",
            generator="127.0.0.1:1",
            super_resolver="127.0.0.1:1",
        )
        with GatewayServer(settings, HttpSettings(listen="127.0.0.1:0")) as gateway:
            api = Api(gateway.address, (tmp_path / "key").read_text().strip())
            media = api.upload(PNG)
            store.process.kill()
            with pytest.raises(grpc.RpcError) as caught:
                list(api.videos.DownloadMedia(media_pb2.DownloadMediaRequest(uri=media.uri)))
            code, _, again_s = refusal(caught.value)
            assert code == "UNAVAILABLE" and again_s > 0
            api.close()
