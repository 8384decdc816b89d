"""The super-resolver service with the test engine, on a real port."""

from __future__ import annotations

import grpc
import numpy as np
import pytest
from safetensors.numpy import save

from omnireel import errors
from omnireel.api.v1 import capabilities_pb2, mvl_pb2, progress_pb2, super_resolver_pb2_grpc
from omnireel.media import read_clip, write_mp4
from omnireel.store import open_store
from omnireel.types import Audio, Clip, VideoFormat
from tests.support.engines.frames import base_frames, base_latents, upscaled_frames
from tests.support.engines.requests import (
    failure,
    first_step,
    settings,
    take_apart,
    upscale_request,
)
from tests.support.engines.servers import running_super_resolver
from tests.support.engines.super_resolver import TestSuperResolver

FORMAT = VideoFormat(64, 64, 5, 8.0)


@pytest.fixture
def store(tmp_path):
    return open_store(f"file://{tmp_path}/store")


@pytest.fixture
def engine():
    return TestSuperResolver()


@pytest.fixture
def stub(tmp_path, engine):
    with (
        running_super_resolver(f"file://{tmp_path}/store", engine) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        yield super_resolver_pb2_grpc.SuperResolverServiceStub(channel)


def base(store, *, audio: Audio | None = None, latents: bool = True) -> dict[str, str]:
    clip = Clip(base_frames(FORMAT, 3), 8.0, audio)
    uris = {"video_uri": store.put("in/base.mp4", write_mp4(clip))}
    if latents:
        data = save({"latents_CTHW": base_latents(FORMAT, 3)})
        uris["latents_uri"] = store.put("in/latents.safetensors", data)
    return uris


def test_the_result_is_exact(stub, store):
    request = upscale_request(**base(store), settings=settings(steps=3), preview_every_steps=2)
    progress, result = take_apart(stub.Upscale(request))
    assert [(p.stage, p.step, p.num_steps) for p in progress] == [
        (progress_pb2.STAGE_UPSCALING, step, 3) for step in (1, 2, 3)
    ]
    assert [bool(p.preview_uri) for p in progress] == [False, True, False]
    expected = write_mp4(Clip(upscaled_frames(base_frames(FORMAT, 3)), 8.0))
    assert store.get(result.video.uri) == expected
    assert result.video.uri.endswith("jobs/7/1/upscaled.mp4")
    assert (result.video.width, result.video.height) == (128, 128)
    assert result.model_version == "test-1"
    assert result.timing.num_function_evaluations == 3
    assert not result.warnings


def test_without_latents_the_video_counts(stub, store):
    uris = base(store, latents=False)
    _, result = take_apart(stub.Upscale(upscale_request(**uris)))
    decoded = read_clip(store.get(uris["video_uri"]))
    expected = write_mp4(Clip(upscaled_frames(decoded.frames_THWC), 8.0))
    assert store.get(result.video.uri) == expected


def test_the_bases_sound_is_kept(stub, store):
    audio = Audio(np.full((1, 30000), 0.5, np.float32), 48000)
    _, result = take_apart(stub.Upscale(upscale_request(**base(store, audio=audio))))
    assert result.video.has_audio
    assert read_clip(store.get(result.video.uri)).audio is not None


def test_wrong_requests_name_the_field(stub, store, engine):
    uris = base(store)
    bad_prompt = mvl_pb2.Prompt(text="@Nobody")
    for request, field in (
        (upscale_request(**{**uris, "video_uri": ""}), "video_uri"),
        (upscale_request(**{**uris, "video_uri": uris["latents_uri"]}), "video_uri"),
        (upscale_request(**uris, settings=settings(num_frames=9)), "settings.format"),
        (upscale_request(**uris, prompt=bad_prompt), "prompt.text"),
        (upscale_request(**uris, prefix=""), "output_prefix"),
    ):
        error = failure(lambda request=request: stub.Upscale(request))
        assert isinstance(error, errors.InvalidInput)
        assert error.violations[0].field == field
    assert engine.steps == []


def test_damaged_and_missing_objects_have_their_own_errors(stub, store):
    uris = base(store)
    damaged = {**uris, "latents_uri": uris["video_uri"]}
    error = failure(lambda: stub.Upscale(upscale_request(**damaged)))
    assert isinstance(error, errors.IntegrityError)
    gone = {**uris, "video_uri": store.uri("in/gone.mp4")}
    error = failure(lambda: stub.Upscale(upscale_request(**gone)))
    assert isinstance(error, errors.NotFound)
    assert "video_uri" in error.message


def test_cancel_stops_before_the_next_step_and_leaves_nothing(
    stub, store, engine, monkeypatch, tmp_path
):
    monkeypatch.setenv("OMNIREEL_TEST_RELEASE_FILE", str(tmp_path / "never"))
    uris = base(store)
    stream = stub.Upscale(upscale_request("hold", **uris, preview_every_steps=1))
    first_step(stream)
    stream.cancel()
    # There is a line in front of the device: this one begins when the other has stopped.
    take_apart(stub.Upscale(upscale_request(**uris, prefix="jobs/8/1", settings=settings(steps=1))))
    assert engine.steps == [1, 1]
    assert [i.key for i in store.list("jobs/")] == ["jobs/8/1/upscaled.mp4"]


def test_memory_fails_one_job(stub, store):
    uris = base(store)
    error = failure(lambda: stub.Upscale(upscale_request("fail-memory", **uris)))
    assert (type(error), error.reason) == (errors.ResourceExhausted, "OUT_OF_MEMORY")
    take_apart(stub.Upscale(upscale_request(**uris)))


def test_it_says_what_it_is(stub):
    info = stub.GetModelInfo(capabilities_pb2.GetModelInfoRequest())
    assert (info.kind, info.capabilities.upscale_factor) == ("super_resolver", 2)
    assert info.capabilities.model_versions.super_resolver == "test-1"
