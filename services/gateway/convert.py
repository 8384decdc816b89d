"""Job rows as the public resources ``Video`` and ``Operation``."""

from __future__ import annotations

from collections.abc import Mapping

from google.longrunning import operations_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from omnireel.api.v1 import (
    generator_pb2,
    media_pb2,
    progress_pb2,
    prompt_enhancer_pb2,
    super_resolver_pb2,
    video_pb2,
)
from omnireel.errors import Cancelled, InvalidInput
from services.common.jobs import Event, Job, JobState, Progress, Stage, StageOutput
from services.common.jobs.errors import job_error, status_of

STAGES = {
    Stage.ENHANCE: progress_pb2.STAGE_ENHANCING,
    Stage.GENERATE: progress_pb2.STAGE_GENERATING,
    Stage.UPSCALE: progress_pb2.STAGE_UPSCALING,
    Stage.FINISH: progress_pb2.STAGE_FINISHING,
}
STATES = {
    JobState.QUEUED: video_pb2.VIDEO_STATE_QUEUED,
    JobState.RUNNING: video_pb2.VIDEO_STATE_RUNNING,
    JobState.SUCCEEDED: video_pb2.VIDEO_STATE_SUCCEEDED,
    JobState.FAILED: video_pb2.VIDEO_STATE_FAILED,
    JobState.CANCELLED: video_pb2.VIDEO_STATE_CANCELLED,
}

LAST_SECOND = 253_402_300_799.0
"""The last that a ``Timestamp`` may hold: the year 9999 ends."""


def id_of(name: str, collection: str, field: str = "name") -> str:
    """``videos/{id}`` -> ``{id}``."""
    prefix, _, job_id = name.partition("/")
    if prefix != collection or not job_id or "/" in job_id or not job_id.isprintable():
        raise InvalidInput(f"{name[:80]!r} is not a name like {collection}/{{id}}", field=field)
    return job_id


def state_to_proto(state: JobState, cancel_requested: bool) -> video_pb2.VideoState.ValueType:
    """The public state."""
    if state is JobState.RUNNING and cancel_requested:
        return video_pb2.VIDEO_STATE_CANCELLING
    return STATES[state]


def progress_to_proto(
    progress: Progress | None,
    state: JobState,
    update_time: float,
    *,
    queue_position: int = 0,
    eta_s: float | None = None,
    message: str = "",
) -> progress_pb2.Progress:
    """How far a job is."""
    answer = progress_pb2.Progress(message=message, queue_position=queue_position)
    if progress is not None:
        answer.step, answer.num_steps = progress.step, progress.num_steps
        answer.fraction, answer.preview_uri = progress.fraction, progress.preview_uri
        answer.stage = STAGES[progress.stage]
    if state is JobState.QUEUED:
        answer.stage = progress_pb2.STAGE_QUEUED
        answer.step, answer.num_steps = 0, 0
    if eta_s is not None and not state.terminal:
        answer.eta.FromNanoseconds(round(eta_s * 1e9))
    answer.update_time.CopyFrom(timestamp(update_time))
    return answer


def event_to_proto(
    event: Event, cancel_requested: bool, eta_s: float | None = None
) -> video_pb2.VideoProgress:
    """One event of a watch."""
    return video_pb2.VideoProgress(
        name=f"videos/{event.job_id}",
        state=state_to_proto(event.state, cancel_requested),
        progress=progress_to_proto(
            event.progress, event.state, event.time, eta_s=eta_s, message=event.message
        ),
    )


def job_to_video(
    job: Job,
    outputs: Mapping[Stage, StageOutput],
    queue_position: int = 0,
    eta_s: float | None = None,
) -> video_pb2.Video:
    """The whole resource."""
    request = video_pb2.CreateVideoRequest.FromString(job.body)
    video = video_pb2.Video(
        name=f"videos/{job.id}",
        state=state_to_proto(job.state, job.cancel_requested),
        progress=progress_to_proto(
            job.progress, job.state, job.updated_at, queue_position=queue_position, eta_s=eta_s
        ),
        prompt=request.prompt,
        settings=request.settings,
        enhance=request.enhance,
        upscale=request.upscale,
        priority=job.priority,
        num_attempts=job.attempt,
        labels=request.labels,
        request_id=job.request_id,
    )
    if job.state is JobState.FAILED and job.error is not None:
        video.error.CopyFrom(status_of(job.error))
    times = {
        "create_time": job.created_at,
        "start_time": job.started_at,
        "end_time": job.finished_at,
        "update_time": job.updated_at,
        "deadline": job.deadline,
    }
    for name, seconds in times.items():
        if seconds is not None:
            getattr(video, name).CopyFrom(timestamp(seconds))
    if job.started_at is not None:
        queued = video.timings.add(stage=progress_pb2.STAGE_QUEUED)
        queued.start_time.CopyFrom(timestamp(job.created_at))
        queued.elapsed.FromNanoseconds(round((job.started_at - job.created_at) * 1e9))
    _add_outputs(video, outputs)
    return video


def _add_outputs(video: video_pb2.Video, outputs: Mapping[Stage, StageOutput]) -> None:
    if output := outputs.get(Stage.ENHANCE):
        enhanced = prompt_enhancer_pb2.EnhanceResult.FromString(output.data)
        video.outputs.enhancement.CopyFrom(enhanced.enhancement)
        video.model_versions.prompt_enhancer = enhanced.model_version
        _add_timing(video, output, None)
    if output := outputs.get(Stage.GENERATE):
        generated = generator_pb2.GenerateResult.FromString(output.data)
        video.outputs.base.CopyFrom(generated.video)
        video.outputs.video.CopyFrom(generated.video)
        if generated.HasField("settings"):
            video.settings.CopyFrom(generated.settings)
        video.model_versions.generator = generated.model_version
        video.warnings.extend(generated.warnings)
        _add_timing(video, output, generated.timing)
    if output := outputs.get(Stage.UPSCALE):
        upscaled = super_resolver_pb2.UpscaleResult.FromString(output.data)
        video.outputs.upscaled.CopyFrom(upscaled.video)
        video.outputs.video.CopyFrom(upscaled.video)
        video.model_versions.super_resolver = upscaled.model_version
        video.warnings.extend(upscaled.warnings)
        _add_timing(video, output, upscaled.timing)
    if output := outputs.get(Stage.FINISH):
        video.outputs.poster.CopyFrom(media_pb2.Media.FromString(output.data))
        _add_timing(video, output, None)


def _add_timing(
    video: video_pb2.Video, output: StageOutput, known: progress_pb2.StageTiming | None
) -> None:
    timing = video.timings.add()
    if known is not None:
        timing.CopyFrom(known)
    timing.stage = STAGES[output.stage]
    # The worker's clock: includes the way there and back, as the caller felt it.
    timing.start_time.CopyFrom(timestamp(output.started_at))
    timing.elapsed.FromNanoseconds(round((output.finished_at - output.started_at) * 1e9))


def job_to_operation(job: Job, video: video_pb2.Video) -> operations_pb2.Operation:
    """The operation that makes ``video``."""
    operation = operations_pb2.Operation(name=f"operations/{job.id}", done=job.state.terminal)
    operation.metadata.Pack(
        video_pb2.CreateVideoMetadata(
            video=video.name,
            state=video.state,
            progress=video.progress,
            create_time=video.create_time,
        )
    )
    if job.state is JobState.SUCCEEDED:
        operation.response.Pack(video)
    elif job.state is JobState.FAILED:
        operation.error.CopyFrom(video.error)
    elif job.state is JobState.CANCELLED:
        error = Cancelled("the video was cancelled on request")
        operation.error.CopyFrom(status_of(job_error(error, retryable=False)))
    return operation


def seconds_of(moment: Timestamp) -> float:
    """Seconds of the epoch. A float would round the last microseconds of the year 9999 to the year
    10000, which :func:`timestamp` could not say again."""
    seconds: float = moment.ToNanoseconds() / 1e9
    return min(seconds, LAST_SECOND)


def timestamp(seconds: float) -> Timestamp:
    """Seconds of the epoch on the wire."""
    value = Timestamp()
    value.FromNanoseconds(round(seconds * 1e9))
    return value
