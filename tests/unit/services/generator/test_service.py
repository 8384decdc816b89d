"""The generator service with the test engine, on a real port."""

from __future__ import annotations

import dataclasses
import threading
import time
from concurrent import futures

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from omnireel import errors
from omnireel.api.v1 import capabilities_pb2, generator_pb2_grpc, mvl_pb2, progress_pb2
from omnireel.media import read_clip, read_image, write_mp4
from omnireel.store import open_store
from omnireel.types import Audio, Clip, VideoFormat
from services.common.artifacts import read_latents
from tests.support.engines.frames import base_frames, base_latents
from tests.support.engines.generator import TestGenerator
from tests.support.engines.requests import (
    failure,
    first_step,
    generate_request,
    settings,
    take_apart,
)
from tests.support.engines.servers import running_generator

FORMAT = VideoFormat(64, 64, 5, 8.0)
ASK = capabilities_pb2.GetModelInfoRequest()


@pytest.fixture
def store_url(tmp_path):
    return f"file://{tmp_path}/store"


@pytest.fixture
def store(store_url):
    return open_store(store_url)


@pytest.fixture
def engine():
    return TestGenerator()


@pytest.fixture
def server(store_url, engine):
    with running_generator(store_url, engine, max_waiting=0) as server:
        yield server


@pytest.fixture
def stub(server):
    with grpc.insecure_channel(server.address) as channel:
        yield generator_pb2_grpc.GeneratorServiceStub(channel)


@pytest.fixture
def never_released(monkeypatch, tmp_path):
    monkeypatch.setenv("OMNIREEL_TEST_RELEASE_FILE", str(tmp_path / "never"))


def keys(store) -> list[str]:
    return [info.key for info in store.list()]


def test_the_result_is_exact(stub, store):
    progress, result = take_apart(stub.Generate(generate_request()))
    assert [(p.stage, p.step, p.num_steps, p.fraction) for p in progress] == [
        (progress_pb2.STAGE_GENERATING, step, 4, step / 4) for step in (1, 2, 3, 4)
    ]
    assert np.array_equal(read_latents(store, result.latents_uri), base_latents(FORMAT, 3))
    expected = write_mp4(Clip(base_frames(FORMAT, 3), 8.0))
    assert store.get(result.video.uri) == expected
    assert result.video.size_bytes == len(expected)
    assert (result.video.width, result.video.height, result.video.num_frames) == (64, 64, 5)
    assert keys(store) == ["jobs/7/1/base.mp4", "jobs/7/1/latents.safetensors"]


def test_what_was_used_is_reported(stub):
    _, result = take_apart(stub.Generate(generate_request(settings=settings(steps=2))))
    assert (result.settings.num_inference_steps, result.settings.seed) == (2, 3)
    assert result.settings.guidance.text == 4.0
    assert result.model_version == "test-1"
    assert result.timing.num_function_evaluations == 4
    assert result.timing.elapsed.ToNanoseconds() > result.timing.codec_elapsed.ToNanoseconds() > 0
    assert not result.warnings


def test_previews_come_now_and_then(stub, store):
    request = generate_request(settings=settings(steps=5), preview_every_steps=2)
    progress, _ = take_apart(stub.Generate(request))
    assert [bool(p.preview_uri) for p in progress] == [False, True, False, True, False]
    preview = read_image(store.get(progress[1].preview_uri))
    assert preview.frames_THWC.shape == (1, 64, 96, 3)  # five frames of 32x32, three in a row


def test_cancel_stops_before_the_next_step_and_leaves_nothing(stub, engine, store, never_released):
    request = generate_request("hold", preview_every_steps=1)
    stream = stub.Generate(request)
    first = first_step(stream)
    assert first.step == 1
    assert store.exists(first.preview_uri)
    stream.cancel()
    # The device is free again only when the engine has really stopped.
    assert take_apart_when_free(stub)[1].model_version == "test-1"
    assert engine.steps == [1, 1, 2, 3, 4]
    assert keys(store) == ["jobs/8/1/base.mp4", "jobs/8/1/latents.safetensors"]


def take_apart_when_free(stub):
    tick = threading.Event()
    for _ in range(2000):
        try:
            return take_apart(stub.Generate(generate_request(prefix="jobs/8/1")))
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        tick.wait(0.005)
    raise AssertionError("the device stays busy")


def test_the_calls_deadline_stops_the_work(stub, engine, never_released):
    error = failure(lambda: stub.Generate(generate_request("hold"), timeout=0.3))
    assert isinstance(error, errors.DeadlineExceeded)
    take_apart_when_free(stub)
    assert engine.steps == [1, 1, 2, 3, 4]


def test_the_jobs_deadline_stops_the_work(stub, engine, never_released):
    request = generate_request("hold")
    request.job.deadline.FromMilliseconds(round(time.time() * 1000) + 300)
    error = failure(lambda: stub.Generate(request))
    assert isinstance(error, errors.DeadlineExceeded)
    assert "allow more time" in error.message
    assert engine.steps == [1]


def test_a_busy_device_refuses_and_says_when_to_retry(stub, never_released):
    stream = stub.Generate(generate_request("hold"))
    first_step(stream)
    error = failure(lambda: stub.Generate(generate_request()))
    assert isinstance(error, errors.ResourceExhausted)
    assert error.retry_after_s > 0
    # Questions are answered meanwhile.
    assert stub.GetModelInfo(ASK).version == "test-1"
    stream.cancel()


def test_one_waits_for_the_other(store_url, tmp_path, monkeypatch):
    release = tmp_path / "release"
    monkeypatch.setenv("OMNIREEL_TEST_RELEASE_FILE", str(release))
    engine = TestGenerator()
    with (
        running_generator(store_url, engine, max_waiting=1) as server,
        grpc.insecure_channel(server.address) as channel,
        futures.ThreadPoolExecutor(1) as pool,
    ):
        stub = generator_pb2_grpc.GeneratorServiceStub(channel)
        first = stub.Generate(generate_request("hold"))
        first_step(first)
        second = stub.Generate(generate_request(prefix="jobs/8/1", settings=settings(steps=2)))
        waiting = pool.submit(take_apart, second)
        release.touch()
        take_apart(first)
        assert len(waiting.result()[0]) == 2
    assert engine.steps == [1, 2, 3, 4, 1, 2]


@pytest.mark.parametrize(
    ("word", "kind", "reason"),
    [
        ("fail-memory", errors.ResourceExhausted, "OUT_OF_MEMORY"),
        ("fail-invalid", errors.InvalidInput, "INVALID_INPUT"),
        ("fail-integrity", errors.IntegrityError, "INTEGRITY"),
        ("fail-unavailable", errors.Unavailable, "UNAVAILABLE"),
        ("fail-internal", errors.OmnireelError, "INTERNAL"),
        ("fail-memory-generator", errors.ResourceExhausted, "OUT_OF_MEMORY"),
    ],
)
def test_a_failure_costs_one_job(stub, store, word, kind, reason):
    error = failure(lambda: stub.Generate(generate_request(f"a {word} ball")))
    assert (type(error), error.reason) == (kind, reason)
    assert "secret" not in error.message
    assert keys(store) == []
    take_apart(stub.Generate(generate_request("fail-memory-super_resolver")))


def test_wrong_requests_name_the_field(stub, engine):
    missing = mvl_pb2.Prompt(
        text="@A", inputs=[mvl_pb2.Input(name="A", kind=mvl_pb2.MEDIA_KIND_IMAGE)]
    )
    for request, field in (
        (generate_request(""), "prompt"),
        (generate_request("@Nobody"), "prompt.text"),
        (generate_request(prompt=missing), "prompt.inputs[0].uri"),
        (generate_request(prefix="../x"), "output_prefix"),
        (generate_request(preview_every_steps=-1), "preview_every_steps"),
        (generate_request(settings=settings(width=65)), "format.size"),
    ):
        error = failure(lambda request=request: stub.Generate(request))
        assert isinstance(error, errors.InvalidInput)
        assert error.violations[0].field == field
    assert engine.steps == []


def test_a_pinned_version_must_run(stub):
    take_apart(stub.Generate(generate_request(model_version="test-1")))
    error = failure(lambda: stub.Generate(generate_request(model_version="test-2")))
    assert isinstance(error, errors.FailedPrecondition)
    assert error.reason == "MODEL_VERSION_MISMATCH"


def edit(store, *, num_frames: int):
    source = Clip(
        base_frames(VideoFormat(64, 64, num_frames, 8.0), 9),
        8.0,
        Audio(np.full((1, num_frames * 1000), 0.5, np.float32), 8000),
    )
    uri = store.put(f"source-{num_frames}.mp4", write_mp4(source))
    role, kind = mvl_pb2.ROLE_SOURCE, mvl_pb2.MEDIA_KIND_VIDEO
    return mvl_pb2.Prompt(
        text="make it green",
        inputs=[mvl_pb2.Input(name="V", kind=kind, role=role, uri=uri)],
    )


def test_the_sources_sound_is_kept_where_the_length_is_the_same(stub, store):
    _, result = take_apart(stub.Generate(generate_request(prompt=edit(store, num_frames=5))))
    assert result.video.has_audio
    assert read_clip(store.get(result.video.uri)).audio is not None
    assert not result.warnings


def test_sound_is_dropped_with_a_word_where_it_is_not(stub, store):
    _, result = take_apart(stub.Generate(generate_request(prompt=edit(store, num_frames=17))))
    assert not result.video.has_audio
    assert read_clip(store.get(result.video.uri)).audio is None
    (warning,) = result.warnings
    assert warning.code == "SOUND_DROPPED"
    assert "2.12 s" in warning.message or "2.13 s" in warning.message


def test_the_engines_warnings_come_first(store_url, store):
    class CuttingGenerator(TestGenerator):
        def generate(self, *args, **more):
            said = (("INPUT_CUT", "@V was cut."),)
            return dataclasses.replace(super().generate(*args, **more), warnings=said)

    with (
        running_generator(store_url, CuttingGenerator()) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = generator_pb2_grpc.GeneratorServiceStub(channel)
        _, result = take_apart(stub.Generate(generate_request(prompt=edit(store, num_frames=17))))
    assert [warning.code for warning in result.warnings] == ["INPUT_CUT", "SOUND_DROPPED"]
    assert result.warnings[0].message == "@V was cut."


def test_while_loading_it_is_reachable_and_says_so(store_url):
    with (
        running_generator(store_url, ready=False) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        health = health_pb2_grpc.HealthStub(channel)
        ask = health_pb2.HealthCheckRequest(service="omnireel.api.v1.GeneratorService")
        assert health.Check(ask).status == health_pb2.HealthCheckResponse.NOT_SERVING
        stub = generator_pb2_grpc.GeneratorServiceStub(channel)
        for call in (lambda: stub.Generate(generate_request()), lambda: stub.GetModelInfo(ASK)):
            error = failure(call)
            assert isinstance(error, errors.Unavailable)
            assert "still loading" in error.message
            assert error.retry_after_s == 2.0


def test_the_engine_is_warm_before_the_first_call(stub, engine):
    assert stub.GetModelInfo(ASK).capabilities.tasks[0].id == "C1"
    assert engine.warmed_up
