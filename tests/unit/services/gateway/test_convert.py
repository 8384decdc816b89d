from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2

from omnireel.api.v1 import generator_pb2, progress_pb2, super_resolver_pb2, video_pb2
from omnireel.errors import FieldViolation, InvalidInput
from services.common.jobs import Job, JobError, JobState, Progress, Stage, StageOutput
from services.common.settings import load_settings
from services.gateway.convert import (
    id_of,
    job_to_operation,
    job_to_video,
    seconds_of,
    timestamp,
)
from services.gateway.settings import GatewaySettings
from services.gateway.videos import states_filter

JOB = Job(
    id="j1",
    caller="me",
    request_id="r1",
    body=video_pb2.CreateVideoRequest(enhance=True, labels={"a": "b"}).SerializeToString(),
    state=JobState.QUEUED,
    cancel_requested=False,
    priority=2,
    deadline=None,
    attempt=0,
    max_attempts=3,
    token=0,
    lease_owner="",
    lease_expires=None,
    event_sequence=1,
    progress=None,
    error=None,
    created_at=10.0,
    updated_at=10.0,
    started_at=None,
    finished_at=None,
)


def test_queued() -> None:
    video = job_to_video(JOB, {}, queue_position=3)
    assert video.state == video_pb2.VIDEO_STATE_QUEUED
    assert (video.progress.stage, video.progress.queue_position) == (progress_pb2.STAGE_QUEUED, 3)
    assert (dict(video.labels), video.request_id, video.priority) == ({"a": "b"}, "r1", 2)
    assert not video.HasField("start_time") and not video.timings
    assert not job_to_operation(JOB, video).done


def test_outputs_show_as_they_come() -> None:
    generated = generator_pb2.GenerateResult(model_version="g1")
    generated.video.uri, generated.settings.seed = "base", 5
    generated.warnings.add(code="SOUND_DROPPED")
    upscaled = super_resolver_pb2.UpscaleResult(model_version="s1")
    upscaled.video.uri = "large"
    outputs = {
        Stage.GENERATE: StageOutput(Stage.GENERATE, generated.SerializeToString(), 12.0, 15.0)
    }
    progress = Progress(Stage.UPSCALE, 1, 4, 0.7, "preview")
    running = replace(JOB, state=JobState.RUNNING, started_at=11.0, progress=progress)
    video = job_to_video(running, outputs)
    assert (video.outputs.video.uri, video.outputs.base.uri) == ("base", "base")
    assert (video.settings.seed, video.warnings[0].code) == (5, "SOUND_DROPPED")
    assert video.progress.preview_uri == "preview"
    outputs[Stage.UPSCALE] = StageOutput(Stage.UPSCALE, upscaled.SerializeToString(), 15.0, 16.0)
    video = job_to_video(running, outputs)
    assert (video.outputs.video.uri, video.outputs.upscaled.uri) == ("large", "large")
    assert (video.model_versions.generator, video.model_versions.super_resolver) == ("g1", "s1")
    seconds = {timing.stage: timing.elapsed.ToSeconds() for timing in video.timings}
    assert seconds == {
        progress_pb2.STAGE_QUEUED: 1,
        progress_pb2.STAGE_GENERATING: 3,
        progress_pb2.STAGE_UPSCALING: 1,
    }


def test_cancelling_and_cancelled() -> None:
    asked = replace(JOB, state=JobState.RUNNING, cancel_requested=True)
    assert job_to_video(asked, {}).state == video_pb2.VIDEO_STATE_CANCELLING
    cancelled = replace(asked, state=JobState.CANCELLED)
    operation = job_to_operation(cancelled, job_to_video(cancelled, {}))
    assert operation.done and operation.error.code == 1


def test_failure_says_whether_a_retry_helps() -> None:
    def details(retryable: bool) -> tuple[set[str], str]:
        error = JobError(3, "bad", "WHY", retryable, (FieldViolation("f", "d"),))
        failed = replace(JOB, state=JobState.FAILED, error=error)
        operation = job_to_operation(failed, job_to_video(failed, {}))
        info = error_details_pb2.ErrorInfo()
        operation.error.details[0].Unpack(info)
        return {d.TypeName().rpartition(".")[2] for d in operation.error.details}, info.reason

    assert details(retryable=True) == ({"ErrorInfo", "BadRequest", "RetryInfo"}, "WHY")
    assert details(retryable=False) == ({"ErrorInfo", "BadRequest"}, "WHY")


def test_success_is_in_the_operation() -> None:
    done = replace(JOB, state=JobState.SUCCEEDED, finished_at=20.0)
    video = job_to_video(done, {})
    operation = job_to_operation(done, video)
    unpacked = video_pb2.Video()
    assert operation.response.Unpack(unpacked) and unpacked == video
    metadata = video_pb2.CreateVideoMetadata()
    assert operation.metadata.Unpack(metadata) and metadata.video == "videos/j1"


def test_names() -> None:
    assert id_of("videos/x", "videos") == "x"
    for wrong in ("x", "videos/", "operations/x", "videos/a/b", "videos/a\nb", "videos/\0", ""):
        with pytest.raises(InvalidInput):
            id_of(wrong, "videos")


def test_state_filters() -> None:
    chosen = states_filter(
        [video_pb2.VIDEO_STATE_CANCELLING, video_pb2.VIDEO_STATE_FAILED], {"a": "b"}
    )
    assert (chosen.states, chosen.cancelling, chosen.labels) == (
        (JobState.FAILED,),
        True,
        {"a": "b"},
    )
    with pytest.raises(InvalidInput):
        states_filter([video_pb2.VIDEO_STATE_UNSPECIFIED], {})
    with pytest.raises(InvalidInput, match="at most 16; there are 17") as caught:
        states_filter([], {str(n): "x" for n in range(17)})
    assert caught.value.violations[0].field == "labels"


def test_the_end_of_time_can_be_said_again() -> None:
    moment = Timestamp()
    moment.FromDatetime(datetime.max)
    assert timestamp(seconds_of(moment)).ToDatetime().year == 9999
    moment.FromNanoseconds(1_795_835_000_500_000_000)
    assert timestamp(seconds_of(moment)) == moment


@pytest.mark.parametrize("address", ["0.0.0.0:7070", "10.0.0.1:7070", "example.org:7070"])
def test_gateway_is_closed_beyond_loopback(settings: GatewaySettings, address: str) -> None:
    def load(**fields: object) -> GatewaySettings:
        return load_settings(
            GatewaySettings, **{**settings.model_dump(), "listen": address, **fields}
        )

    for allow in (True, False):
        with pytest.raises(InvalidInput, match=r"in plain text.*tls=off"):
            load(allow_remote=allow)
        with pytest.raises(InvalidInput, match="auth is off"):
            load(auth="off", tls="off", allow_remote=allow)
    assert load(tls="off").listen == address
    assert load(tls_cert=Path("c"), tls_key=Path("k")).listen == address
