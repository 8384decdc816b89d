"""Which exact format a request means: given, said in words, or that of its source."""

from __future__ import annotations

import math
from collections.abc import Iterator

from omnireel.api.v1 import capabilities_pb2, generation_pb2, media_pb2, mvl_pb2
from omnireel.errors import FieldViolation, InvalidInput
from services.gateway.check_media import FindMedia

RATIO_TOLERANCE = math.log(1.1)
"""How far a size may be from the aspect ratio that was asked for by name."""


def resolve_format(
    settings: generation_pb2.GenerationSettings,
    prompt: mvl_pb2.Prompt,
    can: capabilities_pb2.Capabilities,
    find: FindMedia,
) -> generation_pb2.VideoFormat:
    """The exact format. Raises :class:`InvalidInput` for one that the model does not have."""
    if settings.HasField("format"):
        violations = tuple(_format_violations(settings.format, can))
        if violations:
            text = "; ".join(f"{v.field}: {v.description}" for v in violations)
            raise InvalidInput(text, violations=violations)
        return settings.format
    source = _shape_giver(prompt, find)
    size = _size(settings.shape.aspect_ratio, source, can)
    fps = can.defaults.format.fps
    return generation_pb2.VideoFormat(
        width=size.width,
        height=size.height,
        num_frames=_num_frames(settings.shape.duration_s, source, fps, can),
        fps=fps,
    )


def _format_violations(
    fmt: generation_pb2.VideoFormat, can: capabilities_pb2.Capabilities
) -> Iterator[FieldViolation]:
    if not any((s.width, s.height) == (fmt.width, fmt.height) for s in can.sizes):
        sizes = ", ".join(f"{s.width}x{s.height}" for s in can.sizes)
        yield FieldViolation(
            "settings.format", f"{fmt.width}x{fmt.height} is not served; choose one of {sizes}"
        )
    frames = can.num_frames
    fits = frames.min <= fmt.num_frames <= frames.max
    if not fits or (fmt.num_frames - frames.min) % max(frames.step, 1):
        yield FieldViolation(
            "settings.format.num_frames",
            f"{fmt.num_frames} is not served; choose {frames.min}..{frames.max} in steps of "
            f"{frames.step}",
        )
    if not any(math.isclose(fmt.fps, fps) for fps in can.fps):
        rates = ", ".join(f"{fps:g}" for fps in can.fps)
        yield FieldViolation("settings.format.fps", f"{fmt.fps:g} is not served; choose {rates}")


def _shape_giver(prompt: mvl_pb2.Prompt, find: FindMedia) -> media_pb2.Media | None:
    """The source to edit, else the first frame: what the result should have the shape of."""
    for role in (mvl_pb2.ROLE_SOURCE, mvl_pb2.ROLE_FIRST_FRAME):
        for declared in prompt.inputs:
            if declared.role == role:
                return find(declared.uri)
    return None


def _size(
    wanted: str, source: media_pb2.Media | None, can: capabilities_pb2.Capabilities
) -> capabilities_pb2.Size:
    default = can.defaults.format
    if wanted:
        ratio = _ratio(wanted)
    elif source is not None:
        ratio = source.width / source.height
    else:
        ratio = default.width / default.height

    def distance(size: capabilities_pb2.Size) -> float:
        return abs(math.log(size.width / size.height / ratio))

    def area_difference(size: capabilities_pb2.Size) -> float:
        return abs(math.log(size.width * size.height / (default.width * default.height)))

    nearest = min(distance(size) for size in can.sizes)
    if wanted and nearest > RATIO_TOLERANCE:
        served = ", ".join(sorted({size.aspect_ratio for size in can.sizes}))
        raise InvalidInput(
            f"{wanted[:40]!r} is not served; choose one of {served}",
            field="settings.shape.aspect_ratio",
        )
    alike = [size for size in can.sizes if distance(size) <= nearest + 0.02]
    return min(alike, key=area_difference)


def _ratio(text: str) -> float:
    width, _, height = text.partition(":")
    try:
        ratio = float(width) / float(height)
    except (ValueError, ZeroDivisionError):
        ratio = math.nan
    if not (math.isfinite(ratio) and ratio > 0):
        raise InvalidInput(
            f"{text[:40]!r} is not width:height; write 16:9",
            field="settings.shape.aspect_ratio",
        )
    return ratio


def _num_frames(
    wanted_s: float,
    source: media_pb2.Media | None,
    fps: float,
    can: capabilities_pb2.Capabilities,
) -> int:
    frames = can.num_frames
    if wanted_s:
        longest = frames.max / fps
        # Half a step of tolerance: "2 seconds" at 8 frames per second may mean 17 frames.
        if not 0 < wanted_s * fps <= frames.max + frames.step / 2:
            raise InvalidInput(
                f"{wanted_s:g} s is not served; at most {longest:g} s",
                field="settings.shape.duration_s",
            )
        exact = wanted_s * fps
    elif source is not None and source.fps > 0:
        exact = source.num_frames / source.fps * fps
    else:
        return can.defaults.format.num_frames
    step = max(frames.step, 1)
    nearest = frames.min + step * round((exact - frames.min) / step)
    return min(max(nearest, frames.min), frames.max)
