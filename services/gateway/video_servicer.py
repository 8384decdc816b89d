"""``VideoService``: convert, call, convert."""

# ruff: noqa: N802 - the methods have the names of the rpcs
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.longrunning import operations_pb2
from google.protobuf import empty_pb2

from omnireel.api.v1 import capabilities_pb2, media_pb2, video_pb2, video_pb2_grpc
from services.gateway.caller import caller_of
from services.gateway.convert import id_of
from services.gateway.library import Library
from services.gateway.transfers import Transfers, while_taken, without_pauses
from services.gateway.upload import Uploads
from services.gateway.videos import Videos, states_filter
from services.gateway.watch import Watch, Watcher, read_resume_token


class VideoServicer(video_pb2_grpc.VideoServiceServicer):
    """The public API."""

    def __init__(
        self,
        videos: Videos,
        watcher: Watcher,
        uploads: Uploads,
        library: Library,
        transfers: Transfers,
    ) -> None:
        self._videos = videos
        self._watcher = watcher
        self._uploads = uploads
        self._library = library
        self._transfers = transfers

    def CreateVideo(
        self, request: video_pb2.CreateVideoRequest, context: Any
    ) -> operations_pb2.Operation:
        """Accept a job."""
        job = self._videos.create(caller_of(context), request)
        return self._videos.describe_created(job)

    def GetVideo(self, request: video_pb2.GetVideoRequest, context: Any) -> video_pb2.Video:
        """One video."""
        job = self._videos.get(caller_of(context), id_of(request.name, "videos"))
        return self._videos.describe([job])[0]

    def ListVideos(
        self, request: video_pb2.ListVideosRequest, context: Any
    ) -> video_pb2.ListVideosResponse:
        """A page of videos."""
        job_filter = states_filter(request.states, dict(request.labels))
        return self._videos.list_videos(
            caller_of(context), request.page_size, request.page_token, job_filter
        )

    def DeleteVideo(self, request: video_pb2.DeleteVideoRequest, context: Any) -> empty_pb2.Empty:
        """Remove a video and what was made for it."""
        self._videos.delete(caller_of(context), id_of(request.name, "videos"))
        return empty_pb2.Empty()

    def WatchVideo(
        self, request: video_pb2.WatchVideoRequest, context: Any
    ) -> Iterator[video_pb2.VideoProgress]:
        """Progress as it happens."""
        watch = Watch(
            caller=caller_of(context),
            job_id=id_of(request.name, "videos"),
            after=read_resume_token(request.resume_token),
            min_interval_s=request.min_interval.ToNanoseconds() / 1e9,
        )
        return self._watcher.watch(watch, context.add_callback)

    def UploadMedia(
        self, request_iterator: Iterator[media_pb2.UploadMediaRequest], context: Any
    ) -> media_pb2.UploadMediaResponse:
        """Store a file."""
        caller = caller_of(context)
        with self._transfers.place(caller):
            media = self._uploads.receive(caller, without_pauses(request_iterator))
        return media_pb2.UploadMediaResponse(media=self._library.signed(caller, media))

    def DownloadMedia(
        self, request: media_pb2.DownloadMediaRequest, context: Any
    ) -> Iterator[media_pb2.DownloadMediaResponse]:
        """Send a file."""
        caller = caller_of(context)
        with self._transfers.place(caller):
            yield from while_taken(self._library.send(caller, request), context.cancel)

    def DeleteMedia(self, request: media_pb2.DeleteMediaRequest, context: Any) -> empty_pb2.Empty:
        """Remove an upload."""
        self._uploads.remove(caller_of(context), request.uri)
        return empty_pb2.Empty()

    def GetCapabilities(
        self, request: video_pb2.GetCapabilitiesRequest, context: Any
    ) -> capabilities_pb2.Capabilities:
        """What can be asked for."""
        return self._videos.capabilities()
