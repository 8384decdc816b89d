"""The routes of ``/v1``."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response

from omnireel.api.v1 import video_pb2
from omnireel.errors import FailedPrecondition, NotFound, Unavailable
from services.common.jobs import Job, JobFilter
from services.gateway.http.bodies import read_json
from services.gateway.http.caller import Reader, Writer
from services.gateway.http.compat.objects import (
    ModelList,
    ModelObject,
    VideoDeleted,
    VideoList,
    VideoObject,
    video_object,
)
from services.gateway.http.compat.reading import fields_of_json, read_create
from services.gateway.http.compat.requests import (
    CreateRequest,
    RemixRequest,
    create_message,
    remix_message,
    their_names,
)
from services.gateway.http.door import Door
from services.gateway.http.media import send_media
from services.gateway.http.openapi import form_or_json_body, json_body

DEFAULT_LIMIT, MAX_LIMIT = 20, 100

IdempotencyKey = Annotated[str, Header(max_length=64)]
Variant = Literal["video", "thumbnail"]


def compat_routes(door: Door) -> APIRouter:
    """Everything that OpenAI's clients ask for."""
    return Compat(door).routes()


class Compat:
    """The handlers; each is an operation of OpenAI's API."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._videos = door.application.videos

    def routes(self) -> APIRouter:
        """The handlers with their paths."""
        routes = APIRouter(prefix="/v1", tags=["openai"])
        add, one = routes.add_api_route, "/videos/{video_id}"
        add(
            "/videos",
            self.create,
            methods=["POST"],
            response_model=VideoObject,
            openapi_extra=form_or_json_body(CreateRequest, file="input_reference"),
        )
        add("/videos", self.list_videos, methods=["GET"], response_model=VideoList)
        add(one, self.retrieve, methods=["GET"], response_model=VideoObject)
        add(one, self.delete, methods=["DELETE"], response_model=VideoDeleted)
        add(f"{one}/content", self.content, methods=["GET"], response_class=Response)
        add(f"{one}/content", self.content, methods=["HEAD"], include_in_schema=False)
        add(
            f"{one}/remix",
            self.remix,
            methods=["POST"],
            response_model=VideoObject,
            openapi_extra=json_body(RemixRequest),
        )
        add("/models", self.models, methods=["GET"], response_model=ModelList)
        return routes

    async def create(
        self, request: Request, caller: Writer, idempotency_key: IdempotencyKey = ""
    ) -> VideoObject:
        """Accept a job. A picture as `input_reference` is the first frame, a clip is edited."""
        wanted, reference = await read_create(self._door, request, caller)

        def create() -> VideoObject:
            message = create_message(
                wanted,
                self._videos.capabilities(),
                self._door.settings.model_names,
                reference,
                idempotency_key,
            )
            with their_names():
                job = self._videos.create(caller, message)
            return self._objects(job)[0]

        return await self._door.in_thread(create)

    def list_videos(
        self,
        caller: Reader,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
        after: Annotated[str, Query(max_length=64)] = "",
        order: Literal["asc", "desc"] = "desc",
    ) -> VideoList:
        """A page of jobs, from the one that follows `after`."""
        last_seen = self._videos.get(caller, after) if after else None
        jobs, token = self._videos.page(
            caller, limit, "", JobFilter(), after=last_seen, oldest_first=order == "asc"
        )
        data = self._objects(*jobs)
        return VideoList(
            data=data,
            first_id=data[0].id if data else None,
            last_id=data[-1].id if data else None,
            has_more=bool(token),
        )

    def retrieve(self, video_id: str, caller: Reader) -> VideoObject:
        """One job."""
        return self._objects(self._videos.get(caller, video_id))[0]

    def delete(self, video_id: str, caller: Writer) -> VideoDeleted:
        """Remove a job and its video; cancels it first when it is not finished."""
        self._videos.delete(caller, video_id)
        return VideoDeleted(id=video_id)

    def content(
        self, video_id: str, request: Request, caller: Reader, variant: Variant = "video"
    ) -> Response:
        """The bytes of the video, or of one frame as a PNG."""
        outputs = self._finished(caller, video_id).outputs
        media = outputs.video if variant == "video" else outputs.poster
        if not media.uri:
            raise NotFound(f"video {video_id!r} has no {variant}")
        return send_media(self._door, request, media)

    async def remix(
        self,
        video_id: str,
        request: Request,
        caller: Writer,
        idempotency_key: IdempotencyKey = "",
    ) -> VideoObject:
        """Edit a finished video by a new prompt; what the prompt does not change is kept."""
        settings = self._door.settings
        body = await read_json(request, settings.max_json_bytes, settings.idle_timeout_s)
        wanted = fields_of_json(RemixRequest, body)

        def remix() -> VideoObject:
            # The generator's own video: its size is one that the generator has.
            source = self._finished(caller, video_id).outputs.base
            message = remix_message(wanted.prompt, source, idempotency_key)
            return self._objects(self._videos.create(caller, message))[0]

        return await self._door.in_thread(remix)

    def models(self, _caller: Reader) -> ModelList:
        """Names that `model` may have."""
        names = self._door.settings.model_names
        return ModelList(data=[ModelObject(id=name) for name in names])

    def _finished(self, caller: str, video_id: str) -> video_pb2.Video:
        video = self._videos.describe([self._videos.get(caller, video_id)])[0]
        if video.state != video_pb2.VIDEO_STATE_SUCCEEDED:
            raise FailedPrecondition(
                f"video {video_id!r} is not completed; its status says how far it is",
                reason="VIDEO_NOT_READY",
            )
        return video

    def _objects(self, *jobs: Job) -> list[VideoObject]:
        try:
            factor = self._videos.capabilities().upscale_factor
        except Unavailable:
            factor = 1  # no super-resolver was seen yet: `size` is the generator's until it is
        return [
            video_object(
                video,
                model=self._door.settings.model_names[0],
                upscale_factor=factor,
                remixed_from=self._videos.source_of(video),
            )
            for video in self._videos.describe(jobs)
        ]
