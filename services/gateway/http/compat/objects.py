"""Our resources as OpenAI's objects (https://platform.openai.com/docs/api-reference/videos)."""

from __future__ import annotations

from typing import Literal

from google.rpc import error_details_pb2
from pydantic import BaseModel

from omnireel.api.v1 import mvl_pb2, video_pb2

CANCELLED = "cancelled"

Status = Literal["queued", "in_progress", "completed", "failed"]
_STATUSES: dict[video_pb2.VideoState.ValueType, Status] = {
    video_pb2.VIDEO_STATE_QUEUED: "queued",
    video_pb2.VIDEO_STATE_RUNNING: "in_progress",
    video_pb2.VIDEO_STATE_CANCELLING: "in_progress",
    video_pb2.VIDEO_STATE_SUCCEEDED: "completed",
    video_pb2.VIDEO_STATE_FAILED: "failed",
    video_pb2.VIDEO_STATE_CANCELLED: "failed",
}


class ErrorObject(BaseModel):
    """Why a video failed; ``code`` is our reason in lower case."""

    code: str
    message: str


class VideoObject(BaseModel):
    """One job. Times are seconds of the epoch, ``progress`` is percent, ``seconds`` a number."""

    id: str
    object: Literal["video"] = "video"
    model: str
    status: Status
    progress: int
    created_at: int
    completed_at: int | None
    expires_at: int | None
    prompt: str
    seconds: str
    size: str
    remixed_from_video_id: str | None
    error: ErrorObject | None


class VideoList(BaseModel):
    """A page of jobs."""

    object: Literal["list"] = "list"
    data: list[VideoObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class VideoDeleted(BaseModel):
    """What a deletion leaves."""

    id: str
    object: Literal["video.deleted"] = "video.deleted"
    deleted: Literal[True] = True


class ModelObject(BaseModel):
    """A name that ``model`` may have."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "omnireel"


class ModelList(BaseModel):
    """All of them."""

    object: Literal["list"] = "list"
    data: list[ModelObject]


def video_object(
    video: video_pb2.Video, *, model: str, upscale_factor: int, remixed_from: str | None
) -> VideoObject:
    """``video`` as OpenAI would show it."""
    done = video.state == video_pb2.VIDEO_STATE_SUCCEEDED
    return VideoObject(
        id=video.name.removeprefix("videos/"),
        model=model,
        status=_STATUSES[video.state],
        progress=100 if done else min(int(video.progress.fraction * 100), 99),
        created_at=int(video.create_time.seconds),
        completed_at=int(video.end_time.seconds) if done else None,
        expires_at=int(video.expire_time.seconds) if video.HasField("expire_time") else None,
        prompt=prompt_text(video.prompt),
        seconds=_seconds(video),
        size=_size(video, upscale_factor),
        remixed_from_video_id=remixed_from,
        error=_error(video),
    )


def prompt_text(prompt: mvl_pb2.Prompt) -> str:
    """The words, with names where media stand."""
    return prompt.text or "".join(
        f"@{part.mention}" if part.WhichOneof("part") == "mention" else part.text
        for part in prompt.parts
    )


def _seconds(video: video_pb2.Video) -> str:
    fmt = video.settings.format
    return f"{fmt.num_frames / fmt.fps:g}"


def _size(video: video_pb2.Video, upscale_factor: int) -> str:
    """That of the result, also before it is there."""
    made, fmt = video.outputs.video, video.settings.format
    if video.state == video_pb2.VIDEO_STATE_SUCCEEDED and made.width:
        return f"{made.width}x{made.height}"
    factor = upscale_factor if video.upscale else 1
    return f"{fmt.width * factor}x{fmt.height * factor}"


def _error(video: video_pb2.Video) -> ErrorObject | None:
    if video.state == video_pb2.VIDEO_STATE_CANCELLED:
        return ErrorObject(code=CANCELLED, message="the video was cancelled on request")
    if not video.HasField("error"):
        return None
    info = error_details_pb2.ErrorInfo()
    for detail in video.error.details:
        detail.Unpack(info)
    return ErrorObject(code=(info.reason or "internal").lower(), message=video.error.message)
