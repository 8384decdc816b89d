"""OpenAI's request -> ours: what it says exactly is kept exactly, what we cannot do is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel, ConfigDict, Field

from omnireel.api.v1 import capabilities_pb2, generation_pb2, media_pb2, mvl_pb2, video_pb2
from omnireel.errors import FieldViolation, InvalidInput, NotFound

SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")
THEIR_NAMES = {
    "settings.shape.duration_s": "seconds",
    "settings.format.num_frames": "num_frames",
    "settings.format.fps": "fps",
    "settings.format": "size",
    "settings.num_inference_steps": "num_inference_steps",
    "settings.guidance.text": "guidance_scale",
    "settings.seed": "seed",
    "request_id": "idempotency-key",
}
REFERENCE_NAME = "Input_reference"
SOURCE_NAME = "Source_video"


class InputReference(BaseModel):
    """A reference that is not sent as a file: one uploaded before, or a ``data:`` URL."""

    model_config = ConfigDict(extra="forbid")

    file_id: str | None = Field(None, max_length=1024, description="The uri of an upload.")
    image_url: str | None = Field(None, description="A data: URL with base64.")


class CreateRequest(BaseModel):
    """Body of ``POST /v1/videos``; the fields after ``size`` are those that other video servers
    take besides OpenAI's."""

    model_config = ConfigDict(extra="forbid")

    prompt: str = Field(min_length=1)
    model: str | None = None
    seconds: float | None = Field(None, gt=0, le=3600)
    size: str | None = Field(None, description="WIDTHxHEIGHT of the result.")
    input_reference: InputReference | None = None
    seed: int | None = Field(None, ge=0, lt=2**63)
    fps: float | None = Field(None, gt=0, le=1000)
    num_frames: int | None = Field(None, ge=1, le=100_000)
    num_inference_steps: int = Field(0, ge=0, le=10_000)
    guidance_scale: float | None = Field(None, ge=0)
    webhook_url: str = Field("", max_length=2048)


class RemixRequest(BaseModel):
    """Body of ``POST /v1/videos/{id}/remix``."""

    model_config = ConfigDict(extra="forbid")

    prompt: str = Field(min_length=1)


def create_message(
    request: CreateRequest,
    can: capabilities_pb2.Capabilities,
    model_names: list[str],
    reference: media_pb2.Media | None,
    request_id: str,
) -> video_pb2.CreateVideoRequest:
    """The request in our schema. ``reference`` is a first frame, or a clip to edit."""
    message = video_pb2.CreateVideoRequest(
        request_id=request_id,
        prompt=literal_prompt(request.prompt),
        webhook_url=request.webhook_url,
    )
    if reference is not None:
        is_image = reference.kind == mvl_pb2.MEDIA_KIND_IMAGE
        message.prompt.inputs.add(
            name=REFERENCE_NAME,
            kind=reference.kind,
            role=mvl_pb2.ROLE_FIRST_FRAME if is_image else mvl_pb2.ROLE_SOURCE,
            uri=reference.uri,
        )
    served = can.model_versions.generator
    if request.model is not None and request.model not in model_names:
        if request.model != served:
            known = ", ".join([*model_names, served])
            raise NotFound(
                f"there is no model {request.model[:80]!r} here; use one of: {known}",
                reason="MODEL_NOT_FOUND",
            )
        message.model_versions.generator = served
    settings = message.settings
    settings.num_inference_steps = request.num_inference_steps
    if request.seed is not None:
        settings.seed = request.seed
    if request.guidance_scale is not None:
        settings.guidance.text = request.guidance_scale
    _set_shape(request, message, can)
    return message


def remix_message(
    prompt: str, source: media_pb2.Media, request_id: str
) -> video_pb2.CreateVideoRequest:
    """An edit of an earlier result."""
    message = video_pb2.CreateVideoRequest(request_id=request_id, prompt=literal_prompt(prompt))
    message.prompt.inputs.add(
        name=SOURCE_NAME,
        kind=mvl_pb2.MEDIA_KIND_VIDEO,
        role=mvl_pb2.ROLE_SOURCE,
        uri=source.uri,
    )
    return message


@contextmanager
def their_names() -> Iterator[None]:
    """Speak of fields by the names that they have in OpenAI's request."""
    try:
        yield
    except InvalidInput as error:
        violations = tuple(
            FieldViolation(THEIR_NAMES.get(v.field, v.field), v.description)
            for v in error.violations
        )
        text = error.message
        for ours, theirs in THEIR_NAMES.items():
            text = text.replace(ours, theirs)
        raise InvalidInput(text, violations=violations) from error


def literal_prompt(text: str) -> mvl_pb2.Prompt:
    """Words without names in them: an ``@`` is just a character here."""
    return mvl_pb2.Prompt(parts=[mvl_pb2.Part(text=text)])


def _set_shape(
    request: CreateRequest,
    message: video_pb2.CreateVideoRequest,
    can: capabilities_pb2.Capabilities,
) -> None:
    """Words for what is not exact; an exact format as soon as one of its fields is given."""
    exact = request.size, request.fps, request.num_frames
    if exact == (None, None, None):
        if request.seconds is not None:
            message.settings.shape.duration_s = request.seconds
        return
    fmt = generation_pb2.VideoFormat()
    fmt.CopyFrom(can.defaults.format)
    if request.size is not None:
        fmt.width, fmt.height, message.upscale = _base_size(request.size, can)
    if request.fps is not None:
        fmt.fps = request.fps
    if request.num_frames is not None:
        fmt.num_frames = request.num_frames
    elif request.seconds is not None:
        fmt.num_frames = _num_frames(request.seconds, fmt.fps, can.num_frames)
    message.settings.format.CopyFrom(fmt)


def _base_size(text: str, can: capabilities_pb2.Capabilities) -> tuple[int, int, bool]:
    """Size of the generator's video whose result has the size ``text``, and whether to upscale."""
    match = SIZE.fullmatch(text)
    base = [(size.width, size.height) for size in can.sizes]
    factor = can.upscale_factor
    if match is not None:
        width, height = int(match[1]), int(match[2])
        if (width, height) in base:
            return width, height, False
        if factor and (width / factor, height / factor) in base:
            return width // factor, height // factor, True
    served = [f"{w}x{h}" for w, h in base]
    served += [f"{w * factor}x{h * factor}" for w, h in base if factor]
    raise InvalidInput(
        f"{text[:40]!r} is not served; choose one of {', '.join(dict.fromkeys(served))}",
        field="size",
    )


def _num_frames(seconds: float, fps: float, frames: capabilities_pb2.FrameRange) -> int:
    """The nearest number of frames that the model has."""
    longest = frames.max / fps
    if seconds * fps > frames.max + frames.step / 2:
        raise InvalidInput(f"{seconds:g} s is not served; at most {longest:g} s", field="seconds")
    step = max(frames.step, 1)
    nearest = frames.min + step * round((seconds * fps - frames.min) / step)
    return min(max(nearest, frames.min), frames.max)
