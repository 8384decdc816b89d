"""The client for ordinary, blocking code. `omnireel.client.aio` has the same one for asyncio."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import grpc
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf.message import Message

from omnireel.api.v1 import capabilities_pb2, media_pb2, video_pb2, video_pb2_grpc
from omnireel.client import channel as channels
from omnireel.client.credentials import api_key_for, check_privacy, key_metadata
from omnireel.client.errors import blamed_on, error_from_rpc, finished, noted, translated
from omnireel.client.request import (
    Draft,
    MediaSource,
    VideoOptions,
    create_request,
    draft,
    operation_name,
    video_name,
)
from omnireel.client.retrying import RetryPolicy
from omnireel.client.transfer import Download, check_output, prepare_upload
from omnireel.client.watching import ReconnectPolicy, Watch
from omnireel.errors import OmnireelError, Unavailable
from omnireel.mvl import Prompt, parse
from omnireel.types import Role

CALL_TIMEOUT_S = 30.0
TRANSFER_TIMEOUT_S = 600.0

ProgressCallback = Callable[[video_pb2.VideoProgress], None]


class OmnireelClient:
    """Talks to one gateway. A context manager; every method raises `omnireel.errors`.

    Example::

        with OmnireelClient("127.0.0.1:7070") as client:
            client.generate("A @Cat jumps", elements={"Cat": ["a.png"]}, out=Path("cat.mp4"))
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        api_key: str | None = None,
        plaintext: bool = False,
        reconnect: ReconnectPolicy | None = None,
        retry: RetryPolicy | None = None,
    ) -> None:
        """Prepare a channel; nothing is sent before the first call.

        ``address`` is ``host:port`` (None: `default_address`). Without ``credentials`` the
        connection is plain text; then a key goes to this machine only, unless ``plaintext`` says
        that the network itself is private. ``api_key`` is a key or a reference to one
        (``file:/path``, ``env:NAME``); None: see `api_key_for`. ``reconnect`` is for streams,
        ``retry`` for single calls.
        """
        self.address = channels.check_address(address or channels.default_address())
        key = api_key_for(self.address, api_key)
        if key:
            check_privacy(self.address, encrypted=credentials is not None, plaintext=plaintext)
        self._metadata = key_metadata(key)
        options = channels.channel_options(self.address)
        self._channel = (
            grpc.secure_channel(self.address, credentials, options)
            if credentials
            else grpc.insecure_channel(self.address, options)
        )
        self._videos = video_pb2_grpc.VideoServiceStub(self._channel)
        self._operations = operations_pb2_grpc.OperationsStub(self._channel)
        self._reconnect = reconnect or ReconnectPolicy()
        self._retry = retry or RetryPolicy()

    def __enter__(self) -> OmnireelClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the channel; calls that still run are cancelled (jobs are not)."""
        self._channel.close()

    def upload(
        self, source: MediaSource, *, filename: str = "", field: str = "media"
    ) -> media_pb2.Media:
        """Store one image or video; ``field`` is the name that errors about it carry.

        A transfer that breaks is repeated; what has arrived whole is known by its hash, and neither
        sent nor stored again.
        """
        if isinstance(source, media_pb2.Media):
            return source
        prepared = prepare_upload(source, filename=filename, field=field)
        for failures in itertools.count(1):
            try:
                with blamed_on(field), translated(self.address):
                    return self._videos.UploadMedia(
                        prepared.requests(), timeout=TRANSFER_TIMEOUT_S, metadata=self._metadata
                    ).media
            except Unavailable as error:
                time.sleep(self._reconnect.wait_s(failures, error))
        raise AssertionError("the policy ends it")

    def create(self, prompt: str | Prompt, options: VideoOptions | None = None) -> video_pb2.Video:
        """Queue a job and return it as it stands. Media in ``prompt`` are uploaded already."""
        parsed = parse(prompt) if isinstance(prompt, str) else prompt
        request = create_request(parsed, options or VideoOptions())
        operation = self._call(self._videos.CreateVideo, request)
        return self.get(operation.name)

    def get(self, name: str) -> video_pb2.Video:
        """One video by ``videos/{id}``, ``operations/{id}`` or bare id."""
        request = video_pb2.GetVideoRequest(name=video_name(name))
        video: video_pb2.Video = self._call(self._videos.GetVideo, request)
        return video

    def list(
        self,
        *,
        states: Sequence[video_pb2.VideoState.ValueType] = (),
        labels: Mapping[str, str] | None = None,
        page_size: int = 0,
    ) -> Iterator[video_pb2.Video]:
        """All videos, newest first, fetched page by page as they are asked for."""
        request = video_pb2.ListVideosRequest(page_size=page_size, states=states, labels=labels)
        while True:
            page = self._call(self._videos.ListVideos, request)
            yield from page.videos
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def watch(
        self, name: str, *, resume_token: str = "", timeout_s: float | None = None
    ) -> Iterator[video_pb2.VideoProgress]:
        """Progress up to and including the final event; broken streams are taken up again.

        Raises:
            Unavailable: the server stayed away for longer than the reconnect policy allows.
            DeadlineExceeded: ``timeout_s`` passed; the job goes on.

        """
        watch = Watch(video_name(name), resume_token, self._reconnect, timeout_s)
        while not watch.done:
            left_s = watch.left_s()
            broken: OmnireelError | None = None
            call = self._videos.WatchVideo(watch.request(), timeout=left_s, metadata=self._metadata)
            try:
                for event in call:
                    watch.saw(event)
                    yield event
            except grpc.RpcError as error:
                broken = error_from_rpc(error, self.address)
            finally:
                call.cancel()
            if not watch.done:
                time.sleep(watch.lost(broken))

    def wait(
        self,
        name: str,
        *,
        on_progress: ProgressCallback | None = None,
        timeout_s: float | None = None,
    ) -> video_pb2.Video:
        """The finished video.

        Raises:
            OmnireelError: the reason why the job failed, or `Cancelled`.

        """
        last = None
        for last in self.watch(name, timeout_s=timeout_s):
            if on_progress:
                on_progress(last)
        has_video = last is not None and last.HasField("video")
        return finished(last.video if last and has_video else self.get(name))

    def cancel(self, name: str) -> None:
        """Ask for the job to stop; it does within one denoising step."""
        request = operations_pb2.CancelOperationRequest(name=operation_name(name))
        self._call(self._operations.CancelOperation, request)

    def delete(self, name: str) -> None:
        """Remove a video and its outputs."""
        request = video_pb2.DeleteVideoRequest(name=video_name(name))
        self._call(self._videos.DeleteVideo, request)

    def delete_upload(self, media: media_pb2.Media | str) -> None:
        """Remove something uploaded, by its description or URI; no unfinished job may read it."""
        uri = media if isinstance(media, str) else media.uri
        self._call(self._videos.DeleteMedia, media_pb2.DeleteMediaRequest(uri=uri))

    def download(self, media: media_pb2.Media | str, path: Path) -> Path:
        """Bring a medium (or its URI) to ``path``: the whole, verified file or none at all."""
        uri = media if isinstance(media, str) else media.uri
        with Download(path) as download:
            failures = 0
            while True:
                before = download.offset
                request = media_pb2.DownloadMediaRequest(uri=uri, offset=before)
                try:
                    with translated(self.address):
                        for response in self._videos.DownloadMedia(
                            request, timeout=TRANSFER_TIMEOUT_S, metadata=self._metadata
                        ):
                            download.feed(response)
                    return download.commit()
                except Unavailable as error:
                    failures = 1 if download.offset > before else failures + 1
                    time.sleep(self._reconnect.wait_s(failures, error))

    def capabilities(self) -> capabilities_pb2.Capabilities:
        """What the served models can do, and the limits."""
        request = video_pb2.GetCapabilitiesRequest()
        can: capabilities_pb2.Capabilities = self._call(self._videos.GetCapabilities, request)
        return can

    def generate(
        self,
        prompt: str,
        *,
        images: Mapping[str, MediaSource] | None = None,
        videos: Mapping[str, MediaSource] | None = None,
        elements: Mapping[str, Sequence[MediaSource]] | None = None,
        roles: Mapping[str, Role | str] | None = None,
        descriptions: Mapping[str, str] | None = None,
        options: VideoOptions | None = None,
        out: Path | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> video_pb2.Video:
        """Upload, create, wait and (with ``out``) download: words in, finished video out.

        ``prompt`` names the media as ``@name``. Interrupting the wait (Ctrl-C) cancels the job.
        """
        if out is not None:
            check_output(out)
        planned = draft(
            prompt,
            images=images,
            videos=videos,
            elements=elements,
            roles=roles,
            descriptions=descriptions,
        )
        video = self.create(planned.with_uris(self._upload_all(planned)), options)
        try:
            video = self.wait(video.name, on_progress=on_progress)
        except KeyboardInterrupt as stop:
            self.cancel(video.name)
            stop.add_note("the job is cancelled")
            raise
        if out is not None:
            with noted(f"{video.name} is finished and can be downloaded"):
                self.download(video.outputs.video, out)
        return video

    def _upload_all(self, planned: Draft) -> dict[str, tuple[str, ...]]:
        return {
            name: tuple(self.upload(source, field=field).uri for field, source in fields)
            for name, fields in planned.upload_fields()
        }

    def _call(self, method: Callable[..., Any], request: Message) -> Any:
        """One answer to ``request``; a server that says when to try again is asked then."""
        for attempt in itertools.count(1):
            try:
                with translated(self.address):
                    return method(request, timeout=CALL_TIMEOUT_S, metadata=self._metadata)
            except Unavailable as error:
                time.sleep(self._retry.wait_s(attempt, error))
        raise AssertionError("the policy ends it")
