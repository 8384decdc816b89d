"""Checks of the plain fields of CreateVideoRequest; each yields a violation per wrong field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from omnireel.api.v1 import capabilities_pb2, generation_pb2, video_pb2
from omnireel.errors import FailedPrecondition, FieldViolation
from omnireel.types import MAX_GUIDANCE

MAX_REQUEST_ID = 64
MAX_LABELS = 16
MAX_LABEL_CHARACTERS = 63
MAX_SEED = 2**63 - 1


def field_violations(
    request: video_pb2.CreateVideoRequest, can: capabilities_pb2.Capabilities, now: float
) -> Iterator[FieldViolation]:
    """Everything but the prompt, the media and the output format."""
    limits = can.limits
    if len(request.request_id) > MAX_REQUEST_ID:
        yield FieldViolation("request_id", f"at most {MAX_REQUEST_ID} characters; use a UUID")
    if not limits.min_priority <= request.priority <= limits.max_priority:
        yield FieldViolation(
            "priority", f"must be {limits.min_priority}..{limits.max_priority}; 0 is usual"
        )
    if request.HasField("deadline"):
        yield from _deadline_violations(request, now)
    if request.preview_every_steps < 0:
        yield FieldViolation("preview_every_steps", "must not be negative; 0 means no previews")
    if request.HasField("enhance") and request.enhance and not can.can_enhance:
        yield FieldViolation("enhance", "no prompt enhancer is served; set it to false")
    if request.HasField("upscale") and request.upscale and not can.upscale_factor:
        yield FieldViolation("upscale", "no super-resolver is served; set it to false")
    yield from _label_violations(request)
    yield from _sampling_violations(request.settings, can)


def _deadline_violations(
    request: video_pb2.CreateVideoRequest, now: float
) -> Iterator[FieldViolation]:
    try:
        late = request.deadline.ToNanoseconds() / 1e9 <= now
    except ValueError:  # seconds or nanos beyond what a Timestamp may hold
        yield FieldViolation("deadline", "is no moment between the years 1 and 9999")
        return
    if late:
        yield FieldViolation("deadline", "is in the past; allow more time, or leave it out")


def _label_violations(request: video_pb2.CreateVideoRequest) -> Iterator[FieldViolation]:
    if len(request.labels) > MAX_LABELS:
        yield FieldViolation("labels", f"at most {MAX_LABELS}; there are {len(request.labels)}")
    for key, value in request.labels.items():
        if not key:
            yield FieldViolation("labels", "a label needs a name")
        if max(len(key), len(value)) > MAX_LABEL_CHARACTERS:
            yield FieldViolation(
                f"labels[{key[:20]}]", f"name and value: at most {MAX_LABEL_CHARACTERS} characters"
            )


def _sampling_violations(
    settings: generation_pb2.GenerationSettings, can: capabilities_pb2.Capabilities
) -> Iterator[FieldViolation]:
    limits = can.limits
    if settings.seed > MAX_SEED:
        yield FieldViolation("settings.seed", f"must be 0..{MAX_SEED}")
    for steps in ("num_inference_steps", "num_upscale_steps"):
        if not 0 <= getattr(settings, steps) <= limits.max_inference_steps:
            yield FieldViolation(
                f"settings.{steps}",
                f"must be 1..{limits.max_inference_steps}, or 0 for the model's default",
            )
    scales: tuple[Literal["text", "image", "video"], ...] = ("text", "image", "video")
    for name in scales:
        # Written so that NaN is refused too.
        if not settings.guidance.HasField(name):
            continue
        scale = getattr(settings.guidance, name)
        if not 0 <= scale <= MAX_GUIDANCE:
            yield FieldViolation(f"settings.guidance.{name}", f"must be 0..{MAX_GUIDANCE:g}")
        elif can.guidance_baked_in and scale != 1.0:
            yield FieldViolation(
                f"settings.guidance.{name}",
                f"{scale:g} is not served: guidance is baked into the weights of this distilled "
                "generator; leave it out, or give 1",
            )


def check_versions(
    wanted: generation_pb2.ModelVersions, served: generation_pb2.ModelVersions
) -> None:
    """Raise :class:`FailedPrecondition` when a pinned version is not served."""
    for kind in ("prompt_enhancer", "generator", "super_resolver"):
        pinned, there = getattr(wanted, kind), getattr(served, kind)
        if pinned and pinned != there:
            raise FailedPrecondition(
                f"model_versions.{kind}: {pinned!r} is not served, {there!r} is; pin that one or "
                "leave the field empty",
                reason="MODEL_VERSION_NOT_SERVED",
            )
