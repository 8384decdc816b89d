"""The public API on a real port, before real model services with deterministic engines."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.longrunning import operations_pb2
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from omnireel.api.v1 import generation_pb2, media_pb2, mvl_pb2, video_pb2
from omnireel.media import read_clip, write_mp4, write_png
from omnireel.types import Clip, VideoFormat
from services.common.jobs import NewJob, open_jobs
from services.gateway.main import GatewayServer
from services.gateway.settings import GatewaySettings
from services.gateway.transfers import while_taken, without_pauses
from services.worker.runner import JobRunner, RunnerConfig
from tests.support.engines.frames import base_frames, upscaled_frames
from tests.support.job_runs import Bench, bench
from tests.support.stack import Api

FORMAT = VideoFormat(64, 64, 9, 8.0)


class Served:
    """A gateway, and a worker that runs jobs when the test says so."""

    def __init__(self, made: Bench, settings: GatewaySettings) -> None:
        self.bench = made
        self.settings = settings
        self.jobs = open_jobs(settings.database_url)
        self.server = GatewayServer(settings)
        self.server.start()
        assert settings.key_file is not None
        self.key = settings.key_file.read_text().strip()
        self.api = Api(self.server.address, self.key)

    def work(self, *job_ids: str) -> None:
        config = RunnerConfig("w1", heartbeat_s=0.05, progress_interval_s=0.0)
        runner = JobRunner(self.jobs, self.bench.store, self.bench.clients, config)
        for job_id in job_ids:
            runner.run(job_id)

    def restart(self) -> None:
        self.stop()
        self.__init__(self.bench, self.settings)  # type: ignore[misc]

    def stop(self) -> None:
        self.api.close()
        self.server.stop(1)
        self.jobs.close()


@pytest.fixture
def s(tmp_path: Path) -> Iterator[Served]:
    with bench(tmp_path) as made:
        settings = GatewaySettings(
            listen="127.0.0.1:0",
            database_url=f"sqlite:///{tmp_path / 'gateway.db'}",
            store_url=made.store_url,
            watch_poll_s=0.01,
            max_queued_jobs=5,
            key_file=tmp_path / "api_key",
            delete_wait_s=20.0,
            **made.addresses,
        )
        served = Served(made, settings)
        yield served
        served.stop()


def refused(call: object, *args: object, **fields: object) -> tuple[str, str, list[str]]:
    """Code, reason and wrong fields of a call that must fail."""
    with pytest.raises(grpc.RpcError) as caught:
        result = call(*args, **fields)  # type: ignore[operator]
        list(result)
    status = rpc_status.from_call(caught.value)
    assert status is not None and status.message
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
    return caught.value.code().name, info.reason, [v.field for v in bad.field_violations]


def test_from_words_to_exact_frames(s: Served) -> None:
    job_id = s.api.create(request_id="r1", labels={"album": "a"}, preview_every_steps=2)
    assert s.api.create(request_id="r1", labels={"album": "a"}, preview_every_steps=2) == job_id
    assert s.api.get(job_id).progress.queue_position == 0
    s.work(job_id)
    video = s.api.get(job_id)
    assert video.state == video_pb2.VIDEO_STATE_SUCCEEDED
    assert video.settings.seed == 7 and video.labels["album"] == "a"
    assert video.outputs.enhancement.text == "a red ball, finely detailed"
    # A video goes through a lossy codec, so what is exact is the file: it must be the one that
    # the hand-calculated frames are encoded to.
    base, large = base_frames(FORMAT, 7), upscaled_frames(base_frames(FORMAT, 7))
    for media, frames in ((video.outputs.base, base), (video.outputs.video, large)):
        data = s.api.download(media.uri)
        assert hashlib.sha256(data).hexdigest() == media.sha256
        expected = read_clip(write_mp4(Clip(frames, fps=8.0)))
        np.testing.assert_array_equal(read_clip(data).frames_THWC, expected.frames_THWC)
    assert video.outputs.video == video.outputs.upscaled
    assert s.api.download(video.outputs.poster.uri).startswith(b"\x89PNG")
    previews = {
        event.progress.preview_uri for event in s.jobs.events_after(job_id, 0) if event.progress
    }
    assert all(s.api.download(uri) for uri in previews if uri) and len(previews) > 1


def test_progress_and_resume(s: Served) -> None:
    job_id = s.api.create(enhance=False)
    watching = s.api.watch(job_id)
    assert next(watching).state == video_pb2.VIDEO_STATE_QUEUED
    worker = threading.Thread(target=s.work, args=(job_id,))
    worker.start()
    seen = list(watching)
    worker.join()
    generating = [e.progress.step for e in seen if e.progress.stage == 3 and e.progress.step]
    assert generating == [1, 2, 3, 4]
    assert seen[-1].video.state == video_pb2.VIDEO_STATE_SUCCEEDED
    middle = seen[len(seen) // 2]
    s.restart()  # another replica
    rest = list(s.api.watch(job_id, middle.resume_token))
    expected = seen[len(seen) // 2 + 1 :]
    assert [e.resume_token for e in rest] == [e.resume_token for e in expected]
    assert s.api.get(job_id) == seen[-1].video


def test_jobs_outlive_the_gateway(s: Served) -> None:
    job_id = s.api.create()
    s.restart()
    assert s.api.get(job_id).state == video_pb2.VIDEO_STATE_QUEUED
    s.work(job_id)
    s.restart()
    video = s.api.get(job_id)
    assert video.state == video_pb2.VIDEO_STATE_SUCCEEDED
    assert s.api.download(video.outputs.video.uri)


def test_media_in_every_role(s: Served) -> None:
    rng = np.random.default_rng(0)
    image = s.api.upload(write_png(rng.integers(0, 255, (40, 70, 3), np.uint8)))
    frames = rng.integers(0, 255, (9, 64, 112, 3), np.uint8)
    source = s.api.upload(write_mp4(Clip(frames, fps=8.0)))
    request = video_pb2.CreateVideoRequest()
    request.prompt.text = "put @Hero from @Style into it"
    request.prompt.inputs.add(name="Style", kind=mvl_pb2.MEDIA_KIND_IMAGE, uri=image.uri)
    request.prompt.inputs.add(
        name="Clip",
        kind=mvl_pb2.MEDIA_KIND_VIDEO,
        role=mvl_pb2.ROLE_SOURCE,
        uri=source.uri,
    )
    request.prompt.elements.add(name="Hero", uris=[image.uri, image.uri])
    job_id = s.api.videos.CreateVideo(request).name.removeprefix("operations/")
    s.work(job_id)
    video = s.api.get(job_id)
    assert video.state == video_pb2.VIDEO_STATE_SUCCEEDED, video.error
    fmt = video.settings.format
    assert (fmt.width, fmt.height, fmt.num_frames) == (112, 64, 9)  # those of the source
    # What was made can be edited in turn.
    again = video_pb2.CreateVideoRequest()
    again.prompt.text = "make it green"
    again.prompt.inputs.add(
        name="Clip",
        kind=mvl_pb2.MEDIA_KIND_VIDEO,
        role=mvl_pb2.ROLE_SOURCE,
        uri=video.outputs.base.uri,
    )
    assert s.api.videos.CreateVideo(again).name


def test_stalled_uploads_end_and_leave_room(s: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, over = threading.Semaphore(0), threading.Event()
    idle_timeout_s = 0.5

    def watched(messages: Iterator[object]) -> Iterator[object]:
        begun.release()
        return without_pauses(messages, idle_timeout_s)

    def stalled() -> Iterator[media_pb2.UploadMediaRequest]:
        yield media_pb2.UploadMediaRequest(metadata=media_pb2.UploadMetadata(size_bytes=1000))
        yield media_pb2.UploadMediaRequest(chunk=b"x")
        over.wait(60)

    monkeypatch.setattr("services.gateway.video_servicer.without_pauses", watched)
    assert refused(s.api.videos.UploadMedia, stalled())[0] == "DEADLINE_EXCEEDED"
    idle_timeout_s = 60.0
    calls = [s.api.videos.UploadMedia.future(stalled()) for _ in range(s.settings.max_calls // 2)]
    for _ in [None, *calls]:
        assert begun.acquire(timeout=60)
    picture = write_png(np.zeros((32, 32, 3), np.uint8))
    assert refused(s.api.upload, picture)[0] == "RESOURCE_EXHAUSTED"
    s.api.videos.GetCapabilities(video_pb2.GetCapabilitiesRequest())
    for call in calls:
        call.cancel()
    over.set()


def test_a_download_that_nobody_reads_ends_and_leaves_room(
    s: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Semaphore(0)

    def watched(messages: Iterator[object], end_call: Callable[[], object]) -> Iterator[object]:
        try:
            yield from while_taken(messages, end_call, 0.5)
        finally:
            ended.release()

    noise = np.random.default_rng(0).integers(0, 255, (1600, 1600, 3), np.uint8)
    large = s.api.upload(write_png(noise))
    monkeypatch.setattr("services.gateway.video_servicer.while_taken", watched)
    request = media_pb2.DownloadMediaRequest(uri=large.uri)
    calls = [s.api.videos.DownloadMedia(request) for _ in range(s.settings.max_calls // 2)]
    for call in calls:
        assert next(call).media.size_bytes > 4 << 20  # more than lies in between
    for _ in calls:
        assert ended.acquire(timeout=60)
    for call in calls:
        with pytest.raises(grpc.RpcError) as caught:
            list(call)
        assert caught.value.code() is grpc.StatusCode.CANCELLED
    assert s.api.download(large.uri)


def test_bad_input_names_its_fields(s: Served) -> None:
    settings = generation_pb2.GenerationSettings(num_inference_steps=999)
    assert refused(s.api.create, "@Nobody", settings=settings, priority=50) == (
        "INVALID_ARGUMENT",
        "INVALID_INPUT",
        ["priority", "settings.num_inference_steps", "prompt.text"],
    )
    assert refused(s.api.create, "@Nobody")[1] == "PROMPT_SYNTAX"
    assert refused(s.api.upload, b"not media")[0] == "INVALID_ARGUMENT"
    assert refused(s.api.download, "file:///etc/passwd")[0] == "NOT_FOUND"
    assert refused(s.api.get, "nobody")[0] == "NOT_FOUND"
    versions = generation_pb2.ModelVersions(generator="0.0")
    assert refused(s.api.create, model_versions=versions)[0] == "FAILED_PRECONDITION"
    s.api.create(request_id="r")
    assert refused(s.api.create, "another", request_id="r")[:2] == (
        "ALREADY_EXISTS",
        "REQUEST_ID_REUSED",
    )


def test_full_queue(s: Served) -> None:
    for _ in range(5):
        s.api.create()
    assert refused(s.api.create)[0] == "RESOURCE_EXHAUSTED"


def test_lists_and_filters(s: Served) -> None:
    ids = [s.api.create(labels={"n": str(n % 2)}) for n in range(4)]
    s.work(ids[0])
    request = video_pb2.ListVideosRequest(page_size=3)
    first = s.api.videos.ListVideos(request)
    s.api.create()
    request.page_token = first.next_page_token
    second = s.api.videos.ListVideos(request)
    names = [video.name for page in (first, second) for video in page.videos]
    assert names == [f"videos/{job_id}" for job_id in reversed(ids)]
    queued = video_pb2.ListVideosRequest(states=[video_pb2.VIDEO_STATE_QUEUED], labels={"n": "0"})
    listed = s.api.videos.ListVideos(queued).videos
    assert [video.name for video in listed] == [f"videos/{ids[2]}"]
    bad = video_pb2.ListVideosRequest(page_size=5000)
    assert refused(s.api.videos.ListVideos, bad)[2] == ["page_size"]


def test_a_page_ends_before_it_is_too_large_to_send(s: Served) -> None:
    body = video_pb2.CreateVideoRequest()
    body.prompt.text = "a" * 200_000
    ids = [s.jobs.submit(NewJob("local", body.SerializeToString()))[0].id for _ in range(40)]
    for job_id in ids:
        claimed = s.jobs.claim(job_id, "w", 60)
        assert claimed
        s.jobs.succeed(claimed[0])
    videos = video_pb2.ListVideosRequest(page_size=1000)
    operations = operations_pb2.ListOperationsRequest(page_size=1000)
    for ask, request, field in (
        (s.api.videos.ListVideos, videos, "videos"),
        (s.api.operations.ListOperations, operations, "operations"),
    ):
        pages = [ask(request)]
        while token := pages[-1].next_page_token:
            request.page_token = token
            pages.append(ask(request))
        found = [listed.name for page in pages for listed in getattr(page, field)]
        assert found == [f"{field}/{job_id}" for job_id in reversed(ids)]
        assert len(pages) == 3


def test_operations(s: Served) -> None:
    first, second = s.api.create(), s.api.create("fail-invalid")
    wait = operations_pb2.WaitOperationRequest(
        name=f"operations/{first}", timeout=duration_pb2.Duration(nanos=50_000_000)
    )
    assert not s.api.operations.WaitOperation(wait).done
    wait.timeout.FromSeconds(30)
    with futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(s.api.operations.WaitOperation, wait)
        s.work(first, second)
        operation = waiting.result()
    assert operation.done
    video = video_pb2.Video()
    assert operation.response.Unpack(video) and video == s.api.get(first)
    get = operations_pb2.GetOperationRequest(name=f"operations/{second}")
    failed = s.api.operations.GetOperation(get)
    assert failed.done and failed.error.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    listed = s.api.operations.ListOperations(operations_pb2.ListOperationsRequest())
    assert [o.name for o in listed.operations] == [f"operations/{i}" for i in (second, first)]
    delete = operations_pb2.DeleteOperationRequest(name=f"operations/{second}")
    s.api.operations.DeleteOperation(delete)
    assert refused(s.api.operations.GetOperation, get)[0] == "NOT_FOUND"
    assert s.api.get(second).state == video_pb2.VIDEO_STATE_FAILED


def test_cancel_and_delete(s: Served) -> None:
    queued = s.api.create()
    s.api.cancel(queued)
    assert s.api.get(queued).state == video_pb2.VIDEO_STATE_CANCELLED
    s.work(queued)
    assert s.bench.generator.steps == []
    job_id = s.api.create()
    at_two, go_on = threading.Event(), threading.Event()

    def hook(step: int) -> None:
        if step == 2:
            at_two.set()
            go_on.wait(20)
            time.sleep(0.3)  # several heartbeats

    s.bench.generator.hook = hook
    worker = threading.Thread(target=s.work, args=(job_id,))
    worker.start()
    assert at_two.wait(20)
    with futures.ThreadPoolExecutor() as pool:
        deleting = pool.submit(s.api.delete, job_id)
        while s.api.state_or_gone(job_id) == video_pb2.VIDEO_STATE_RUNNING:
            time.sleep(0.01)
        go_on.set()
        deleting.result()
    worker.join()
    assert s.bench.generator.steps == [1]
    assert refused(s.api.get, job_id)[0] == "NOT_FOUND"
    assert [o.key for o in s.bench.store.list(f"jobs/{job_id}/")] == []


def test_delete_removes_the_objects(s: Served) -> None:
    job_id = s.api.create()
    s.work(job_id)
    uri = s.api.get(job_id).outputs.video.uri
    s.api.delete(job_id)
    assert refused(s.api.download, uri)[0] == "NOT_FOUND"
    assert list(s.bench.store.list("jobs/")) == []
    assert refused(s.api.delete, job_id)[0] == "NOT_FOUND"


def test_capabilities(s: Served) -> None:
    can = s.api.videos.GetCapabilities(video_pb2.GetCapabilitiesRequest())
    assert [(size.width, size.height) for size in can.sizes] == [(64, 64), (112, 64), (64, 112)]
    assert can.can_enhance and can.upscale_factor == 2
    assert can.model_versions.prompt_enhancer == "test-1"
    assert can.limits.max_queued_jobs == 5 and can.limits.max_upload_bytes == 256 << 20
    assert can.num_frames.max == 33 and can.defaults.format.num_frames == 17


def test_models_that_are_not_there_yet(tmp_path: Path, s: Served) -> None:
    fields = {**s.settings.model_dump(), "generator": "127.0.0.1:1"}
    with GatewayServer(GatewaySettings(**fields)) as server:
        api = Api(server.address, s.key)
        code, reason, _ = refused(api.create)
        api.close()
    assert (code, reason) == ("UNAVAILABLE", "UNAVAILABLE")
