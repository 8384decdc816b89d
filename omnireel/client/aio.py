"""The client for asyncio; the same methods as `omnireel.client.sync`, awaited.

Files are read and written in the event loop's thread: chunks are small and local.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
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
from omnireel.client.sync import CALL_TIMEOUT_S, TRANSFER_TIMEOUT_S, ProgressCallback
from omnireel.client.transfer import Download, check_output, prepare_upload
from omnireel.client.watching import ReconnectPolicy, Watch
from omnireel.errors import OmnireelError, Unavailable
from omnireel.mvl import Prompt, parse
from omnireel.types import Role


class AsyncOmnireelClient:
    """Talks to one gateway from a running event loop. An async context manager."""

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
        """Prepare a channel; the arguments are those of `OmnireelClient`."""
        self.address = channels.check_address(address or channels.default_address())
        key = api_key_for(self.address, api_key)
        if key:
            check_privacy(self.address, encrypted=credentials is not None, plaintext=plaintext)
        self._metadata = key_metadata(key)
        options = channels.channel_options(self.address)
        self._channel = (
            grpc.aio.secure_channel(self.address, credentials, options)
            if credentials
            else grpc.aio.insecure_channel(self.address, options)
        )
        self._videos = video_pb2_grpc.VideoServiceStub(self._channel)
        self._operations = operations_pb2_grpc.OperationsStub(self._channel)
        self._reconnect = reconnect or ReconnectPolicy()
        self._retry = retry or RetryPolicy()

    async def __aenter__(self) -> AsyncOmnireelClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the channel; calls that still run are cancelled (jobs are not)."""
        await self._channel.close()

    async def upload(
        self, source: MediaSource, *, filename: str = "", field: str = "media"
    ) -> media_pb2.Media:
        """Store one image or video; repeated as `OmnireelClient.upload` is."""
        if isinstance(source, media_pb2.Media):
            return source
        prepared = prepare_upload(source, filename=filename, field=field)
        for failures in itertools.count(1):
            try:
                with blamed_on(field), translated(self.address):
                    response = await self._videos.UploadMedia(
                        prepared.requests(), timeout=TRANSFER_TIMEOUT_S, metadata=self._metadata
                    )
                    media: media_pb2.Media = response.media
                    return media
            except Unavailable as error:
                await asyncio.sleep(self._reconnect.wait_s(failures, error))
        raise AssertionError("the policy ends it")

    async def create(
        self, prompt: str | Prompt, options: VideoOptions | None = None
    ) -> video_pb2.Video:
        """Queue a job and return it as it stands. Media in ``prompt`` are uploaded already."""
        parsed = parse(prompt) if isinstance(prompt, str) else prompt
        request = create_request(parsed, options or VideoOptions())
        operation = await self._call(self._videos.CreateVideo, request)
        return await self.get(operation.name)

    async def get(self, name: str) -> video_pb2.Video:
        """One video by ``videos/{id}``, ``operations/{id}`` or bare id."""
        request = video_pb2.GetVideoRequest(name=video_name(name))
        video: video_pb2.Video = await self._call(self._videos.GetVideo, request)
        return video

    async def list(
        self,
        *,
        states: Sequence[video_pb2.VideoState.ValueType] = (),
        labels: Mapping[str, str] | None = None,
        page_size: int = 0,
    ) -> AsyncGenerator[video_pb2.Video, None]:
        """All videos, newest first, fetched page by page as they are asked for."""
        request = video_pb2.ListVideosRequest(page_size=page_size, states=states, labels=labels)
        while True:
            page = await self._call(self._videos.ListVideos, request)
            for video in page.videos:
                yield video
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def watch(
        self, name: str, *, resume_token: str = "", timeout_s: float | None = None
    ) -> AsyncGenerator[video_pb2.VideoProgress, None]:
        """Progress up to and including the final event; broken streams are taken up again."""
        watch = Watch(video_name(name), resume_token, self._reconnect, timeout_s)
        while not watch.done:
            left_s = watch.left_s()
            broken: OmnireelError | None = None
            call = self._videos.WatchVideo(watch.request(), timeout=left_s, metadata=self._metadata)
            try:
                async for event in call:
                    watch.saw(event)
                    yield event
            except grpc.RpcError as error:
                broken = error_from_rpc(error, self.address)
            finally:
                call.cancel()
            if not watch.done:
                await asyncio.sleep(watch.lost(broken))

    async def wait(
        self,
        name: str,
        *,
        on_progress: ProgressCallback | None = None,
        timeout_s: float | None = None,
    ) -> video_pb2.Video:
        """The finished video, or the reason why there is none as an exception."""
        last = None
        async with aclosing(self.watch(name, timeout_s=timeout_s)) as events:
            async for last in events:
                if on_progress:
                    on_progress(last)
        has_video = last is not None and last.HasField("video")
        return finished(last.video if last and has_video else await self.get(name))

    async def cancel(self, name: str) -> None:
        """Ask for the job to stop; it does within one denoising step."""
        request = operations_pb2.CancelOperationRequest(name=operation_name(name))
        await self._call(self._operations.CancelOperation, request)

    async def delete(self, name: str) -> None:
        """Remove a video and its outputs."""
        request = video_pb2.DeleteVideoRequest(name=video_name(name))
        await self._call(self._videos.DeleteVideo, request)

    async def delete_upload(self, media: media_pb2.Media | str) -> None:
        """Remove something uploaded, by its description or URI; no unfinished job may read it."""
        uri = media if isinstance(media, str) else media.uri
        await self._call(self._videos.DeleteMedia, media_pb2.DeleteMediaRequest(uri=uri))

    async def download(self, media: media_pb2.Media | str, path: Path) -> Path:
        """Bring a medium (or its URI) to ``path``: the whole, verified file or none at all."""
        uri = media if isinstance(media, str) else media.uri
        with Download(path) as download:
            failures = 0
            while True:
                before = download.offset
                request = media_pb2.DownloadMediaRequest(uri=uri, offset=before)
                try:
                    with translated(self.address):
                        async for response in self._videos.DownloadMedia(
                            request, timeout=TRANSFER_TIMEOUT_S, metadata=self._metadata
                        ):
                            download.feed(response)
                    return download.commit()
                except Unavailable as error:
                    failures = 1 if download.offset > before else failures + 1
                    await asyncio.sleep(self._reconnect.wait_s(failures, error))

    async def capabilities(self) -> capabilities_pb2.Capabilities:
        """What the served models can do, and the limits."""
        request = video_pb2.GetCapabilitiesRequest()
        can: capabilities_pb2.Capabilities = await self._call(self._videos.GetCapabilities, request)
        return can

    async def generate(
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
        """As `OmnireelClient.generate`. Cancelling the task while it waits cancels the job."""
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
        video = await self.create(planned.with_uris(await self._upload_all(planned)), options)
        try:
            video = await self.wait(video.name, on_progress=on_progress)
        except asyncio.CancelledError as stop:
            await self.cancel(video.name)
            stop.add_note("the job is cancelled")
            raise
        if out is not None:
            with noted(f"{video.name} is finished and can be downloaded"):
                await self.download(video.outputs.video, out)
        return video

    async def _upload_all(self, planned: Draft) -> dict[str, tuple[str, ...]]:
        return {
            name: tuple([(await self.upload(source, field=field)).uri for field, source in fields])
            for name, fields in planned.upload_fields()
        }

    async def _call(self, method: Callable[..., Any], request: Message) -> Any:
        """One answer to ``request``; a server that says when to try again is asked then."""
        for attempt in itertools.count(1):
            try:
                with translated(self.address):
                    return await method(request, timeout=CALL_TIMEOUT_S, metadata=self._metadata)
            except Unavailable as error:
                await asyncio.sleep(self._retry.wait_s(attempt, error))
        raise AssertionError("the policy ends it")
