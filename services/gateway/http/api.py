"""Our own schema over HTTP: each route is the rpc of the same name, in the JSON of the protos."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from omnireel.api.v1 import capabilities_pb2, video_pb2
from omnireel.errors import InvalidInput, NotFound
from services.gateway.http import protojson
from services.gateway.http.bodies import read_json
from services.gateway.http.caller import Reader, Writer
from services.gateway.http.door import Door
from services.gateway.http.events import events_answer
from services.gateway.http.media import send_media
from services.gateway.http.openapi import event_stream, message_answer, message_body
from services.gateway.videos import MAX_PAGE, states_filter

OutputName = Literal["video", "base", "upscaled", "poster"]
PREFIX = "VIDEO_STATE_"


def api_routes(door: Door) -> APIRouter:
    """Videos and capabilities."""
    routes = APIRouter(tags=["videos"])
    videos = door.application.videos
    video_answer: dict[str, Any] = message_answer(video_pb2.Video)

    @routes.post(
        "/api/v1/videos", **video_answer, openapi_extra=message_body(video_pb2.CreateVideoRequest)
    )
    async def create_video(request: Request, caller: Writer) -> Response:
        """Accept a job and answer at once; watch its events for what becomes of it."""
        body = await read_json(request, door.settings.max_json_bytes, door.settings.idle_timeout_s)
        message = protojson.read(body, video_pb2.CreateVideoRequest)

        def create() -> video_pb2.Video:
            return videos.describe([videos.create(caller, message)])[0]

        return protojson.answer(await door.in_thread(create))

    @routes.get("/api/v1/videos", **message_answer(video_pb2.ListVideosResponse))
    def list_videos(
        caller: Reader,
        page_size: Annotated[int, Query(ge=0, le=MAX_PAGE)] = 0,
        page_token: Annotated[str, Query(max_length=256)] = "",
        state: Annotated[list[str] | None, Query(max_length=8)] = None,
        label: Annotated[list[str] | None, Query(max_length=16)] = None,
    ) -> Response:
        """Newest first. `state` may be QUEUED, RUNNING, ...; `label` is name:value; both repeat."""
        wanted = states_filter([_state(name) for name in state or ()], _labels(label or []))
        return protojson.answer(videos.list_videos(caller, page_size, page_token, wanted))

    @routes.get("/api/v1/videos/{video_id}", **video_answer)
    def get_video(video_id: str, caller: Reader) -> Response:
        """One video."""
        return protojson.answer(videos.describe([videos.get(caller, video_id)])[0])

    @routes.post("/api/v1/videos/{video_id}/cancel", **video_answer)
    def cancel_video(video_id: str, caller: Writer) -> Response:
        """Ask the work to stop: it does within one denoising step."""
        videos.cancel(caller, video_id)
        return protojson.answer(videos.describe([videos.get(caller, video_id)])[0])

    @routes.delete("/api/v1/videos/{video_id}", status_code=204)
    def delete_video(video_id: str, caller: Writer) -> Response:
        """Remove a video and what was made for it; cancels it first when it is not finished."""
        videos.delete(caller, video_id)
        return Response(status_code=204)

    @routes.get("/api/v1/videos/{video_id}/events", **event_stream(video_pb2.VideoProgress))
    async def watch_video(video_id: str, request: Request, caller: Reader) -> Response:
        """Progress as Server-Sent Events, until the event `final`, which has the whole video.

        Goes on after `Last-Event-ID` (or `?last_event_id=`).
        """
        return await events_answer(request, door, caller, video_id)

    @routes.head("/api/v1/videos/{video_id}/outputs/{output}", include_in_schema=False)
    @routes.get("/api/v1/videos/{video_id}/outputs/{output}", response_class=Response)
    def read_output(
        video_id: str,
        output: OutputName,
        request: Request,
        caller: Reader,
        redirect: bool = True,
    ) -> Response:
        """The bytes of an output; understands Range and If-None-Match.

        With `redirect=false` never a way to the store, which a web page may not follow.
        """
        outputs = videos.describe([videos.get(caller, video_id)])[0].outputs
        if not outputs.HasField(output):
            raise NotFound(f"video {video_id!r} has no {output} (yet)")
        return send_media(door, request, getattr(outputs, output), redirect=redirect)

    @routes.get("/api/v1/capabilities", **message_answer(capabilities_pb2.Capabilities))
    def get_capabilities(_caller: Reader) -> Response:
        """What the served models can do and what the limits are."""
        return protojson.answer(videos.capabilities())

    @routes.get("/api/v1/webhook_secret")
    def get_webhook_secret(caller: Writer) -> WebhookSecret:
        """What the signatures of webhooks to you are verified with."""
        return WebhookSecret(secret=door.application.webhooks.secret(caller))

    return routes


class WebhookSecret(BaseModel):
    """A secret of the caller's tenant, as libraries for Standard Webhooks take it."""

    secret: str


def _state(name: str) -> video_pb2.VideoState.ValueType:
    try:
        return video_pb2.VideoState.Value(name if name.startswith(PREFIX) else PREFIX + name)
    except ValueError:
        problem = f"there is no state {name[:40]!r}; see VideoState"
        raise InvalidInput(problem, field="state") from None


def _labels(pairs: list[str]) -> dict[str, str]:
    labels = {}
    for pair in pairs:
        name, colon, value = pair.partition(":")
        if not colon or not name:
            raise InvalidInput(f"{pair[:80]!r} is not name:value", field="label")
        labels[name] = value
    return labels
