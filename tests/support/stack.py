"""The embedded stack with test engines, and a small client for it."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
from google.longrunning import operations_pb2, operations_pb2_grpc

from omnireel.api.v1 import media_pb2, video_pb2, video_pb2_grpc
from services.common.stack.config import MODEL_SERVICES, StackConfig

QUICK = {
    "OMNIREEL_WORKER_LEASE_S": "1.5",
    "OMNIREEL_WORKER_HEARTBEAT_S": "0.2",
    "OMNIREEL_WORKER_DISPATCH_S": "0.05",
    "OMNIREEL_WORKER_SWEEP_S": "0.2",
    "OMNIREEL_WORKER_REPUBLISH_S": "1.5",
    "OMNIREEL_WORKER_WORKER_TTL_S": "2",
    "OMNIREEL_WORKER_BACKOFF_S": "0.1",
    "OMNIREEL_GATEWAY_WATCH_POLL_S": "0.02",
    "OMP_NUM_THREADS": "1",
}


def stack_config(home: Path, **more: object) -> StackConfig:
    """A stack of test engines on free ports, with short leases."""
    engine = (sys.executable, "-m", "tests.support.engines.main")
    weights = home / "weights"
    (weights / "tiny").mkdir(parents=True, exist_ok=True)
    real = StackConfig(home, port=0, weights_root=weights).commands
    fields: dict[str, object] = {
        "port": 0,
        "http_port": 0,
        "weights_root": weights,
        "commands": {**real, **{service: (*engine, service) for service in MODEL_SERVICES}},
        "environment": QUICK,
        "start_timeout_s": 120.0,
        "grace_s": 10.0,
        **more,
    }
    return StackConfig(home, **fields)  # type: ignore[arg-type]


class WithKey(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
):
    """Sends an API key with every call."""

    def __init__(self, key: str) -> None:
        self._pair = ("authorization", f"Bearer {key}")

    def _call(self, continuation: Any, details: Any, request: Any) -> Any:
        metadata = [*(details.metadata or ()), self._pair]
        return continuation(details._replace(metadata=metadata), request)

    intercept_unary_unary = intercept_unary_stream = intercept_stream_unary = _call


class Api:
    """The public API as a test wants it: names without prefixes, bytes in and out."""

    def __init__(
        self, address: str, key: str = "", credentials: grpc.ChannelCredentials | None = None
    ) -> None:
        self._plain = (
            grpc.secure_channel(address, credentials)
            if credentials
            else grpc.insecure_channel(address)
        )
        self._channel = grpc.intercept_channel(self._plain, WithKey(key)) if key else self._plain
        self.videos = video_pb2_grpc.VideoServiceStub(self._channel)
        self.operations = operations_pb2_grpc.OperationsStub(self._channel)

    def close(self) -> None:
        self._plain.close()

    def create(self, text: str = "a red ball", **fields: object) -> str:
        """The id of a new job of nine frames with seed 7."""
        request = video_pb2.CreateVideoRequest(**fields)  # type: ignore[arg-type]
        request.prompt.text = text
        if request.settings.WhichOneof("output") is None:
            request.settings.shape.duration_s = 9 / 8
        if not request.settings.HasField("seed"):
            request.settings.seed = 7
        name: str = self.videos.CreateVideo(request).name
        return name.removeprefix("operations/")

    def get(self, job_id: str) -> video_pb2.Video:
        return self.videos.GetVideo(video_pb2.GetVideoRequest(name=f"videos/{job_id}"))

    def state_or_gone(self, job_id: str) -> video_pb2.VideoState | None:
        """The job's state; None when there is no such job (any more)."""
        try:
            return self.get(job_id).state
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return None
            raise

    def watch(self, job_id: str, token: str = "") -> Iterator[video_pb2.VideoProgress]:
        request = video_pb2.WatchVideoRequest(name=f"videos/{job_id}", resume_token=token)
        return iter(self.videos.WatchVideo(request, timeout=60))

    def finish(self, job_id: str) -> video_pb2.Video:
        """Wait for the end."""
        return list(self.watch(job_id))[-1].video

    def cancel(self, job_id: str) -> None:
        name = f"operations/{job_id}"
        self.operations.CancelOperation(operations_pb2.CancelOperationRequest(name=name))

    def delete(self, job_id: str) -> None:
        self.videos.DeleteVideo(video_pb2.DeleteVideoRequest(name=f"videos/{job_id}"))

    def upload(self, data: bytes) -> media_pb2.Media:
        digest = hashlib.sha256(data).hexdigest()
        metadata = media_pb2.UploadMetadata(size_bytes=len(data), sha256=digest)

        def messages() -> Iterator[media_pb2.UploadMediaRequest]:
            yield media_pb2.UploadMediaRequest(metadata=metadata)
            for at in range(0, len(data), 1 << 16):
                yield media_pb2.UploadMediaRequest(chunk=data[at : at + (1 << 16)])

        return self.videos.UploadMedia(messages()).media

    def download(self, uri: str) -> bytes:
        """The bytes, checked against the announced hash."""
        first, *rest = self.videos.DownloadMedia(media_pb2.DownloadMediaRequest(uri=uri))
        data = b"".join(message.chunk for message in rest)
        if first.media.sha256:
            assert hashlib.sha256(data).hexdigest() == first.media.sha256
        return data
