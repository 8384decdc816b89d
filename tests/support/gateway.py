"""A small gateway on a real port, with scripted progress, for tests of the client and the CLI."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf import any_pb2, empty_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from omnireel.api.v1 import capabilities_pb2, media_pb2, progress_pb2, video_pb2, video_pb2_grpc

RESULT = bytes(range(256)) * 40
"""What every finished video consists of."""


@dataclass
class Script:
    """How the gateway behaves."""

    num_steps: int = 4
    final_state: video_pb2.VideoState.ValueType = video_pb2.VIDEO_STATE_SUCCEEDED
    error: status_pb2.Status | None = None
    break_watch_after: int = 0
    """Abort the first watch with UNAVAILABLE after this many events; 0: never."""
    break_uploads: int = 0
    """Say UNAVAILABLE in the middle of this many uploads."""
    break_download_after: int = 0
    """Abort the first download with UNAVAILABLE after this many chunks; 0: never."""
    hang_after: int = 0
    """Send this many events, then nothing until the job is cancelled; 0: never."""
    corrupt_download: bool = False
    create_error: status_pb2.Status | None = None
    refuse_creates: int = 0
    """Say UNAVAILABLE, with a RetryInfo of a millisecond, to this many calls."""
    upload_error: status_pb2.Status | None = None
    warnings: tuple[str, ...] = ()


@dataclass
class Seen:
    """What reached the gateway."""

    creates: list[video_pb2.CreateVideoRequest] = field(default_factory=list)
    watches: list[video_pb2.WatchVideoRequest] = field(default_factory=list)
    downloads: list[media_pb2.DownloadMediaRequest] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)
    metadata: list[media_pb2.UploadMetadata] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    authorization: list[str] = field(default_factory=list)
    """What each call carried; empty text for none."""


class _Listener(grpc.ServerInterceptor):
    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        metadata = dict(handler_call_details.invocation_metadata)
        self._seen.authorization.append(metadata.get("authorization", ""))
        return continuation(handler_call_details)


class FakeGateway(video_pb2_grpc.VideoServiceServicer, operations_pb2_grpc.OperationsServicer):
    """Use as a context manager; ``address`` is where it listens."""

    def __init__(self, script: Script | None = None) -> None:
        self.script = script or Script()
        self.seen = Seen()
        self.videos: dict[str, video_pb2.Video] = {}
        self.cancelled = threading.Event()
        self._calls: Counter[str] = Counter()
        listener = _Listener(self.seen)
        self._server = grpc.server(futures.ThreadPoolExecutor(8), interceptors=[listener])
        video_pb2_grpc.add_VideoServiceServicer_to_server(self, self._server)
        operations_pb2_grpc.add_OperationsServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def __enter__(self) -> FakeGateway:
        self._server.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.cancelled.set()
        self._server.stop(None).wait()

    def add_video(self, identity: str, state: video_pb2.VideoState.ValueType) -> video_pb2.Video:
        video = self.videos[f"videos/{identity}"] = video_pb2.Video(
            name=f"videos/{identity}", state=state
        )
        video.create_time.GetCurrentTime()
        if state == video_pb2.VIDEO_STATE_SUCCEEDED:
            video.outputs.video.CopyFrom(self._result())
        return video

    # The public service.

    def CreateVideo(self, request: Any, context: Any) -> operations_pb2.Operation:  # noqa: N802
        if self.script.create_error is not None:
            context.abort_with_status(rpc_status.to_status(self.script.create_error))
        self._calls["create"] += 1
        if self._calls["create"] <= self.script.refuse_creates:
            retry = error_details_pb2.RetryInfo(retry_delay=Duration(nanos=1_000_000))
            refused = status(code_pb2.UNAVAILABLE, "not yet", retry)
            context.abort_with_status(rpc_status.to_status(refused))
        self.seen.creates.append(request)
        identity = f"v{len(self.seen.creates)}"
        video = self.add_video(identity, video_pb2.VIDEO_STATE_QUEUED)
        video.prompt.CopyFrom(request.prompt)
        video.settings.CopyFrom(request.settings)
        for text in self.script.warnings:
            video.warnings.add(code="TEST", message=text)
        metadata = any_pb2.Any()
        metadata.Pack(video_pb2.CreateVideoMetadata(video=video.name))
        return operations_pb2.Operation(name=f"operations/{identity}", metadata=metadata)

    def GetVideo(self, request: Any, context: Any) -> video_pb2.Video:  # noqa: N802
        return self._find(request.name, context)

    def ListVideos(self, request: Any, context: Any) -> video_pb2.ListVideosResponse:  # noqa: N802
        chosen = [
            v for v in self.videos.values() if not request.states or v.state in request.states
        ]
        start, size = int(request.page_token or 0), request.page_size or 50
        after = start + size
        return video_pb2.ListVideosResponse(
            videos=chosen[start:after], next_page_token=str(after) if after < len(chosen) else ""
        )

    def DeleteVideo(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802
        self._find(request.name, context)
        del self.videos[request.name]
        self.seen.deleted.append(request.name)
        return empty_pb2.Empty()

    def WatchVideo(self, request: Any, context: Any) -> Iterator[video_pb2.VideoProgress]:  # noqa: N802
        self.seen.watches.append(request)
        video = self._find(request.name, context)
        self._calls["watch"] += 1
        script = self.script
        start = int(request.resume_token or 0)
        for number, progress in enumerate(self._progress(), start=1):
            if number <= start:
                continue
            sent = number - start - 1
            if self._calls["watch"] == 1 and sent == script.break_watch_after > 0:
                context.abort(grpc.StatusCode.UNAVAILABLE, "the replica goes away")
            if script.hang_after and sent == script.hang_after:
                self.cancelled.wait(30)
                break
            yield video_pb2.VideoProgress(
                name=video.name,
                state=video_pb2.VIDEO_STATE_RUNNING,
                progress=progress,
                resume_token=str(number),
            )
        self._finish(video)
        yield video_pb2.VideoProgress(name=video.name, state=video.state, video=video)

    def UploadMedia(  # noqa: N802
        self, request_iterator: Any, context: Any
    ) -> media_pb2.UploadMediaResponse:
        if self.script.upload_error is not None:
            context.abort_with_status(rpc_status.to_status(self.script.upload_error))
        metadata = next(request_iterator).metadata
        self._calls["upload"] += 1
        if self._calls["upload"] <= self.script.break_uploads:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the replica goes away")
        data = b"".join(request.chunk for request in request_iterator)
        if len(data) != metadata.size_bytes or hashlib.sha256(data).hexdigest() != metadata.sha256:
            context.abort(grpc.StatusCode.DATA_LOSS, "the upload does not match its metadata")
        uri = f"media://{metadata.sha256}"
        self.seen.uploads[uri] = data
        self.seen.metadata.append(metadata)
        return media_pb2.UploadMediaResponse(
            media=media_pb2.Media(uri=uri, size_bytes=len(data), sha256=metadata.sha256)
        )

    def DownloadMedia(  # noqa: N802
        self, request: Any, context: Any
    ) -> Iterator[media_pb2.DownloadMediaResponse]:
        self.seen.downloads.append(request)
        if request.uri != self._result().uri:
            abort(context, code_pb2.NOT_FOUND, "there is no such media", "MEDIA_NOT_FOUND")
        self._calls["download"] += 1
        yield media_pb2.DownloadMediaResponse(media=self._result())
        data = RESULT[:-1] + b"?" if self.script.corrupt_download else RESULT
        for sent, at in enumerate(range(request.offset, len(data), 1000)):
            if self._calls["download"] == 1 and sent == self.script.break_download_after > 0:
                context.abort(grpc.StatusCode.UNAVAILABLE, "the replica goes away")
            yield media_pb2.DownloadMediaResponse(chunk=data[at : at + 1000])

    def DeleteMedia(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802
        if self.seen.uploads.pop(request.uri, None) is None:
            abort(context, code_pb2.NOT_FOUND, "there is no such media", "MEDIA_NOT_FOUND")
        return empty_pb2.Empty()

    def GetCapabilities(self, request: Any, context: Any) -> capabilities_pb2.Capabilities:  # noqa: N802
        capabilities = capabilities_pb2.Capabilities(upscale_factor=2)
        default = capabilities.defaults.format
        default.width, default.height, default.num_frames, default.fps = 64, 64, 17, 8.0
        return capabilities

    def CancelOperation(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802
        video = self._find(request.name.replace("operations/", "videos/"), context)
        video.state = video_pb2.VIDEO_STATE_CANCELLED
        self.cancelled.set()
        return empty_pb2.Empty()

    def _find(self, name: str, context: Any) -> video_pb2.Video:
        if name not in self.videos:
            abort(context, code_pb2.NOT_FOUND, f"there is no {name}", "VIDEO_NOT_FOUND")
        return self.videos[name]

    def _finish(self, video: video_pb2.Video) -> None:
        if video.state == video_pb2.VIDEO_STATE_CANCELLED:
            return
        video.state = self.script.final_state
        if video.state == video_pb2.VIDEO_STATE_SUCCEEDED:
            video.outputs.video.CopyFrom(self._result())
        if self.script.error is not None:
            video.error.CopyFrom(self.script.error)

    def _progress(self) -> Iterator[progress_pb2.Progress]:
        yield progress_pb2.Progress(stage=progress_pb2.STAGE_QUEUED, queue_position=2)
        for step in range(1, self.script.num_steps + 1):
            yield progress_pb2.Progress(
                stage=progress_pb2.STAGE_GENERATING,
                step=step,
                num_steps=self.script.num_steps,
                fraction=step / self.script.num_steps,
            )

    @staticmethod
    def _result() -> media_pb2.Media:
        return media_pb2.Media(
            uri="media://result",
            mime_type="video/mp4",
            size_bytes=len(RESULT),
            sha256=hashlib.sha256(RESULT).hexdigest(),
        )


def status(code: int, message: str, *details: Any) -> status_pb2.Status:
    """A status with packed details."""
    made = status_pb2.Status(code=code, message=message)
    for detail in details:
        made.details.add().Pack(detail)
    return made


def abort(context: Any, code: int, message: str, reason: str) -> None:
    """End the call with a status that carries an ErrorInfo."""
    info = error_details_pb2.ErrorInfo(reason=reason, domain="omnireel")
    context.abort_with_status(rpc_status.to_status(status(code, message, info)))
