"""What both doors of the gateway write into the audit log."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from omnireel.api.v1 import media_pb2
from services.common.audit import AuditEntry, AuditLog
from services.common.jobs.migrate import open_database
from tests.support.served import served
from tests.support.stack import Api


def lines(folder: Path) -> list[AuditEntry]:
    database = open_database(f"sqlite:///{folder / 'gateway.db'}")
    found = list(AuditLog(database).read())
    database.close()
    return found


def test_grpc(tmp_path: Path) -> None:
    with served(tmp_path) as s:
        job_id = s.api.create(request_id="r7")
        s.work(job_id)
        uri = s.api.get(job_id).outputs.video.uri
        s.api.download(uri)
        leaving = s.api.videos.DownloadMedia(media_pb2.DownloadMediaRequest(uri=uri))
        next(leaving)
        leaving.cancel()
        with pytest.raises(grpc.RpcError):
            s.api.delete("nobody")
        stranger = Api(s.server.address)
        with pytest.raises(grpc.RpcError):
            stranger.get(job_id)
        stranger.close()
        key_id = s.key.split("_")[1]
    found = lines(tmp_path)
    what = [
        (line.action.removeprefix("VideoService/"), line.resource, line.outcome) for line in found
    ]
    # When the server sees that a reader left is the network's matter.
    _, left = (n for n, (action, *_) in enumerate(what) if action == "DownloadMedia")
    assert what.pop(left)[1:] in ((uri, "CANCELLED"), (uri, "OK"))
    assert what == [
        ("CreateVideo", f"operations/{job_id}", "OK"),
        ("DownloadMedia", uri, "OK"),
        ("DeleteVideo", "videos/nobody", "NOT_FOUND"),
        ("GetVideo", "", "UNAUTHENTICATED"),
    ]
    assert found[0].request_id == "r7" and found[0].address.startswith("127.0.0.1:")
    assert {(line.tenant, line.subject) for line in found[:-1]} == {("local", f"key:{key_id}")}
    assert (found[-1].tenant, found[-1].subject) == ("-", "-")


def test_http(tmp_path: Path) -> None:
    with served(tmp_path) as s:
        job_id = s.made()
        s.http.get(f"/api/v1/videos/{job_id}")
        s.http.get(f"/api/v1/videos/{job_id}/outputs/video")
        s.http.delete("/api/v1/videos/nobody")
        s.http.get("/api/v1/videos", headers={"Authorization": "Bearer omr_no"})
        key_id = s.key.split("_")[1]
    found = lines(tmp_path)
    assert [(line.action, line.resource, line.outcome) for line in found] == [
        ("POST /api/v1/videos", "/api/v1/videos", "OK"),
        (
            "GET /api/v1/videos/{video_id}/outputs/{output}",
            f"/api/v1/videos/{job_id}/outputs/video",
            "OK",
        ),
        ("DELETE /api/v1/videos/{video_id}", "/api/v1/videos/nobody", "HTTP_404"),
        ("GET /api/v1/videos", "/api/v1/videos", "HTTP_401"),
    ]
    assert {(line.tenant, line.subject) for line in found[:-1]} == {("local", f"key:{key_id}")}
    assert found[-1].subject == "-"
