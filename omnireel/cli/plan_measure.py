"""Measurements of a running installation, from the timings of videos made on it one by one."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from omnireel.api.v1 import progress_pb2, video_pb2
from omnireel.capacity.measurements import Measurements, StageTime
from omnireel.client import OmnireelClient, VideoOptions
from omnireel.errors import InvalidInput

PROMPTS = ("a red ball rolls on a meadow", "a blue cube jumps on the beach")

_STAGES = {
    progress_pb2.STAGE_ENHANCING: "prompt_enhancer",
    progress_pb2.STAGE_GENERATING: "generator",
    progress_pb2.STAGE_UPSCALING: "super_resolver",
    progress_pb2.STAGE_FINISHING: "finish",
}


def make_measurements(
    client: OmnireelClient,
    prompts: Sequence[str],
    *,
    videos: int,
    device: str,
    note: str,
    report: Callable[[str], None],
) -> Measurements:
    """Make so many videos, each when the one before is done; they are deleted again.

    The first is not counted: it may find cold caches.
    """
    made = []
    for number in range(videos + 1):
        options = VideoOptions(seed=number, enhance=True, upscale=True)
        video = client.generate(prompts[number % len(prompts)], options=options)
        client.delete(video.name)
        report(f"video {number} of {videos}" + (" (not counted)" if number == 0 else ""))
        made.append(video)
    return summarise(made[1:], device=device, note=note)


def summarise(videos: Sequence[video_pb2.Video], *, device: str, note: str) -> Measurements:
    """What finished videos say about each stage.

    Raises:
        InvalidInput: they are not of one format and one number of steps.

    """
    settings = videos[0].settings
    shape, steps = settings.format, settings.num_inference_steps
    if any(v.settings.format != shape or v.settings.num_inference_steps != steps for v in videos):
        raise InvalidInput(
            "the videos differ in format or number of steps; measure one kind at a time"
        )
    waits, stages = [], {}
    for stage, name in _STAGES.items():
        times = [t for v in videos for t in v.timings if t.stage == stage]
        if len(times) != len(videos):
            continue  # this installation has no such stage
        count = steps if name == "generator" else 0
        stages[name] = _stage_time(times, count)
    for video in videos:
        waits += [
            _seconds(t.elapsed) for t in video.timings if t.stage == progress_pb2.STAGE_QUEUED
        ]
    models = videos[0].model_versions
    return Measurements(
        device=device,
        model=f"{models.generator}, {shape.width}x{shape.height}, {shape.num_frames} frames, "
        f"{steps} steps",
        source=f"{len(videos)} videos one after the other on {datetime.now(UTC):%Y-%m-%d}"
        + (f", {note}" if note else ""),
        stages=stages,
        dispatch_s=statistics.mean(waits),
        video_bytes=statistics.mean(map(_kept_bytes, videos)),
    )


def _stage_time(times: Sequence[progress_pb2.StageTiming], steps: int) -> StageTime:
    whole = [_seconds(t.elapsed) for t in times]
    mean = statistics.mean(whole)
    cv = statistics.stdev(whole) / mean
    if not steps:
        return StageTime(mean, cv)
    other = statistics.mean(_seconds(t.codec_elapsed) for t in times)
    other = min(max(other, 0.0), mean)
    return StageTime(other, cv, steps, (mean - other) / steps)


def _kept_bytes(video: video_pb2.Video) -> float:
    outputs = video.outputs
    return float(sum(m.size_bytes for m in (outputs.base, outputs.upscaled, outputs.poster)))


def _seconds(duration: object) -> float:
    return duration.ToNanoseconds() / 1e9  # type: ignore[attr-defined, no-any-return]
