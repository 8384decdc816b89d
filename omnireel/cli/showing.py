"""Videos as text for people, and as JSON for programs."""

from __future__ import annotations

import json

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.text import Text

from omnireel.api.v1 import media_pb2, progress_pb2, video_pb2
from omnireel.client import error_from_status


def as_json(message: Message) -> str:
    """A message as indented JSON with the field names of the proto."""
    return json.dumps(MessageToDict(message, preserving_proto_field_name=True), indent=2)


def state_word(video: video_pb2.Video) -> str:
    """``queued``, ``succeeded``, ..."""
    return video_pb2.VideoState.Name(video.state).removeprefix("VIDEO_STATE_").lower()


def media_line(media: media_pb2.Media) -> str:
    """``128x128, 17 frames at 8 fps, 52 KB``."""
    kilobytes = max(1, round(media.size_bytes / 1000))
    size = f"{media.width}x{media.height}, " if media.width else ""
    frames = f"{media.num_frames} frames at {media.fps:g} fps, " if media.num_frames else ""
    return f"{size}{frames}{kilobytes} KB"


def prompt_text(video: video_pb2.Video) -> str:
    """The user's prompt in the text form."""
    return video.prompt.text or "".join(
        part.text or f"@{part.mention}" for part in video.prompt.parts
    )


def summary(video: video_pb2.Video) -> Text:
    """What there is to say about a video, a fact a line."""
    facts = [("name", video.name), ("state", state_word(video)), ("prompt", prompt_text(video))]
    enhancement = video.outputs.enhancement
    if enhancement.fallback_reason:
        facts.append(("enhanced", f"not: {enhancement.fallback_reason}"))
    if enhancement.text not in ("", prompt_text(video)):
        facts.append(("made of" if enhancement.fallback_reason else "enhanced", enhancement.text))
    if video.settings.HasField("seed"):
        facts.append(("seed", str(video.settings.seed)))
    if video.outputs.HasField("video"):
        facts.append(("video", media_line(video.outputs.video)))
    if video.timings:
        facts.append(("took", ", ".join(_timing(t) for t in video.timings)))
    facts += [("warning", warning.message) for warning in video.warnings]
    if video.state == video_pb2.VIDEO_STATE_FAILED:
        facts.append(("error", error_from_status(video.error).message))
    lines = [
        Text.assemble((f"{label:<10}", "bold red" if label == "error" else "cyan"), value)
        for label, value in facts
        if value
    ]
    return Text("\n").join(lines)


def _timing(timing: progress_pb2.StageTiming) -> str:
    stage = progress_pb2.Stage.Name(timing.stage).removeprefix("STAGE_").lower()
    return f"{stage} {timing.elapsed.ToMilliseconds() / 1000:.1f} s"
