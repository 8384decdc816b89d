"""Denoising that stops in one process and goes on in another, to the same bits."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import numpy as np
import pytest

from omnireel import errors
from omnireel.api.v1 import generation_pb2, generator_pb2_grpc, super_resolver_pb2_grpc
from omnireel.mvl import parse
from omnireel.store import ObjectStore, open_store
from omnireel.types import VideoFormat
from services.common.artifacts import read_latents
from services.common.checkpoints import Checkpoints, DenoisingState, forget_states
from services.common.denoising import EngineStep
from services.common.model_info import Sampling
from services.common.status import error_from_rpc
from services.generator.engine import GeneratedVideo, PipelineEngine
from services.generator.settings import GeneratorSettings
from services.super_resolver.engine import BaseVideo
from services.super_resolver.engine import PipelineEngine as Upscaler
from services.super_resolver.settings import SuperResolverSettings
from tests.support.engines.frames import base_latents
from tests.support.engines.generator import TestGenerator
from tests.support.engines.random_weights import save_random_weights
from tests.support.engines.requests import (
    failure,
    first_step,
    generate_request,
    settings,
    take_apart,
    upscale_request,
)
from tests.support.engines.servers import running_generator, running_super_resolver
from tests.support.engines.super_resolver import TestSuperResolver

JOB = generation_pb2.JobContext(job_id="7", fencing_token=1)
NEXT = generation_pb2.JobContext(job_id="7", fencing_token=2)
STATE = "jobs/7/checkpoint"


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return f"file://{tmp_path}/store"


@pytest.fixture
def store(store_url: str) -> ObjectStore:
    return open_store(store_url)


def keys(store: ObjectStore) -> list[str]:
    return [info.key for info in store.list("jobs/")]


class Held:
    """A hook for a test engine that waits before one step until it is told to go on."""

    def __init__(self, step: int) -> None:
        self._step = step
        self.reached = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, step: int) -> None:
        if step == self._step:
            self.reached.set()
            assert self.go_on.wait(60)


def preempted(stub: object, request: object, method: str, held: Held) -> errors.OmnireelError:
    """How a call ends that is asked to hand over while it stands before ``held``'s step."""
    with futures.ThreadPoolExecutor(1) as pool:
        ending = pool.submit(failure, lambda: getattr(stub, method)(request))
        assert held.reached.wait(60)
        asked = generation_pb2.PreemptRequest(job_id="7", fencing_token=1)
        assert stub.Preempt(asked).found  # type: ignore[attr-defined]
        held.go_on.set()
        return ending.result()


def test_generator_hands_over_and_another_goes_on(store_url: str, store: ObjectStore) -> None:
    held = Held(3)
    first, second = TestGenerator(held), TestGenerator()
    request = generate_request(job=JOB, state_prefix=STATE)
    with (
        running_generator(store_url, first) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = generator_pb2_grpc.GeneratorServiceStub(channel)
        error = preempted(stub, request, "Generate", held)
        gone = generation_pb2.PreemptRequest(job_id="7", fencing_token=1)
        assert not stub.Preempt(gone).found
    assert isinstance(error, errors.Unavailable) and error.reason == "PREEMPTED"
    assert first.steps == [1, 2]
    assert keys(store) == [f"{STATE}/generate.safetensors"]
    with (
        running_generator(store_url, second) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        again = generate_request(job=NEXT, state_prefix=STATE, prefix="jobs/7/2")
        progress, result = take_apart(
            generator_pb2_grpc.GeneratorServiceStub(channel).Generate(again)
        )
    assert second.steps == [3, 4]
    assert [p.step for p in progress] == [3, 4]
    wanted = base_latents(VideoFormat(64, 64, 5, 8.0), 3)
    np.testing.assert_array_equal(read_latents(store, result.latents_uri), wanted)
    forget_states(store, "7")
    assert not any(key.startswith(STATE) for key in keys(store))


def test_work_that_is_stopped_after_its_last_step_repeats_none(
    store_url: str, store: ObjectStore
) -> None:
    second = TestGenerator()
    request = generate_request(job=JOB, state_prefix=STATE)

    class Stopping(TestGenerator):
        """Is told to hand over while it decodes."""

        def generate(self, *args: object, **kwargs: object) -> GeneratedVideo:  # type: ignore[override]
            made = super().generate(*args, **kwargs)  # type: ignore[arg-type]
            stub.Preempt(generation_pb2.PreemptRequest(job_id="7", fencing_token=1))
            return made

    first = Stopping()
    with (
        running_generator(store_url, first) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = generator_pb2_grpc.GeneratorServiceStub(channel)
        error = failure(lambda: stub.Generate(request))
        assert error.reason == "PREEMPTED"
    with (
        running_generator(store_url, second) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        result = take_apart(generator_pb2_grpc.GeneratorServiceStub(channel).Generate(request))[1]
    assert (first.steps, second.steps) == ([1, 2, 3, 4], [])
    wanted = base_latents(VideoFormat(64, 64, 5, 8.0), 3)
    np.testing.assert_array_equal(read_latents(store, result.latents_uri), wanted)


def test_super_resolver_hands_over_too(store_url: str, store: ObjectStore) -> None:
    held = Held(2)
    first, second = TestSuperResolver(held), TestSuperResolver()
    with (
        running_generator(store_url) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        base = take_apart(
            generator_pb2_grpc.GeneratorServiceStub(channel).Generate(generate_request())
        )[1]
    request = upscale_request(
        video_uri=base.video.uri, latents_uri=base.latents_uri, job=JOB, state_prefix=STATE
    )
    with (
        running_super_resolver(store_url, first) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        preempted(
            super_resolver_pb2_grpc.SuperResolverServiceStub(channel), request, "Upscale", held
        )
    with (
        running_super_resolver(store_url, second) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = super_resolver_pb2_grpc.SuperResolverServiceStub(channel)
        take_apart(stub.Upscale(request))
    assert (first.steps, second.steps) == ([1], [2, 3, 4])


def test_a_lost_process_costs_the_steps_since_the_last_checkpoint(
    store_url: str, store: ObjectStore
) -> None:
    def fail_after(step: int) -> None:
        if step == 6:
            raise errors.Unavailable("the test engine is away")

    first, second = TestGenerator(fail_after), TestGenerator()
    request = generate_request(job=JOB, state_prefix=STATE, settings=settings(steps=8))
    for engine in (first, second):
        with (
            running_generator(store_url, engine, checkpoint_every_steps=2) as server,
            grpc.insecure_channel(server.address) as channel,
        ):
            stub = generator_pb2_grpc.GeneratorServiceStub(channel)
            if engine is first:
                failure(lambda stub=stub: stub.Generate(request))
            else:
                take_apart(stub.Generate(request))
    assert (first.steps, second.steps) == ([1, 2, 3, 4, 5], [5, 6, 7, 8])


@pytest.mark.parametrize(
    "change",
    [
        {"settings": settings(seed=4)},
        {"settings": settings(steps=8)},
        {"text": "a cube"},
    ],
)
def test_the_state_of_other_work_is_not_used(
    store_url: str, store: ObjectStore, change: dict[str, object]
) -> None:
    Checkpoints(store, STATE, "generate", "digest of other work", 1).save(
        DenoisingState(2, np.full((1, 1, 1, 1), 2, np.float32))
    )
    engine = TestGenerator()
    with (
        running_generator(store_url, engine) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = generator_pb2_grpc.GeneratorServiceStub(channel)
        take_apart(stub.Generate(generate_request(job=JOB, state_prefix=STATE, **change)))
    assert engine.steps[0] == 1


def test_a_damaged_checkpoint_is_none(store: ObjectStore) -> None:
    kept = Checkpoints(store, STATE, "generate", "d", 1)
    assert kept.load() is None
    kept.save(DenoisingState(2, np.ones((1, 1, 1, 1), np.float32)))
    loaded = kept.load()
    assert loaded is not None and loaded.step == 2
    store.put(f"{STATE}/generate.safetensors", b"half of it")
    assert kept.load() is None
    assert Checkpoints(store, "", "generate", "d", 1).load() is None


@pytest.fixture
def never_released(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A job with the word ``hold`` stands before its second step until it is cancelled."""
    monkeypatch.setenv("OMNIREEL_TEST_RELEASE_FILE", str(tmp_path / "never"))


def test_cancelled_work_keeps_no_state(
    store_url: str, store: ObjectStore, never_released: None
) -> None:
    engine = TestGenerator()
    request = generate_request("hold", job=JOB, state_prefix=STATE)
    with (
        running_generator(store_url, engine) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stream = generator_pb2_grpc.GeneratorServiceStub(channel).Generate(request)
        first_step(stream)
        stream.cancel()
    assert engine.steps == [1]  # the server ends only when the work has
    assert keys(store) == []


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random_weights(tmp_path_factory.mktemp("weights"))


PROMPT = parse("a red ball rolls")
SAMPLING = Sampling(VideoFormat(32, 32, 5, 8.0), 11, num_inference_steps=4, num_upscale_steps=4)


def states(run: object) -> tuple[list[DenoisingState], object]:
    """The result of ``run(on_step)`` and the state after each step."""
    found: list[DenoisingState] = []

    def on_step(step: EngineStep) -> None:
        assert step.latents_CTHW is not None
        found.append(DenoisingState(step.step, step.latents_CTHW()))

    return found, run(on_step)  # type: ignore[operator]


@pytest.fixture(scope="module")
def generator(weights: Path) -> PipelineEngine:
    return PipelineEngine.load(GeneratorSettings(store_url="file:///none", weights=weights))


def test_real_generator_goes_on_to_the_same_bits(generator: PipelineEngine) -> None:
    def run(on_step: object, start: DenoisingState | None = None) -> GeneratedVideo:
        return generator.generate(
            PROMPT,
            {},
            SAMPLING,
            start=start,
            on_step=on_step,  # type: ignore[arg-type]
            cancelled=lambda: False,
        )

    found, whole = states(run)
    assert isinstance(whole, GeneratedVideo) and [s.step for s in found] == [1, 2, 3, 4]
    for state in found[:3]:
        rest, resumed = states(lambda on_step, state=state: run(on_step, state))
        assert isinstance(resumed, GeneratedVideo)
        assert [s.step for s in rest] == list(range(state.step + 1, 5))
        np.testing.assert_array_equal(resumed.latents_CTHW, whole.latents_CTHW)
        np.testing.assert_array_equal(resumed.clip.frames_THWC, whole.clip.frames_THWC)
        assert resumed.num_function_evaluations == whole.num_function_evaluations


def test_real_super_resolver_goes_on_to_the_same_bits(
    weights: Path, generator: PipelineEngine
) -> None:
    engine = Upscaler.load(SuperResolverSettings(store_url="file:///none", weights=weights))
    base = generator.generate(PROMPT, {}, SAMPLING, on_step=lambda _: None, cancelled=lambda: False)

    def run(on_step: object, start: DenoisingState | None = None) -> object:
        return engine.upscale(
            BaseVideo(base.clip, base.latents_CTHW),
            PROMPT,
            {},
            SAMPLING,
            start=start,
            on_step=on_step,  # type: ignore[arg-type]
            cancelled=lambda: False,
        ).clip.frames_THWC

    found, whole = states(run)
    _, resumed = states(lambda on_step: run(on_step, found[1]))
    np.testing.assert_array_equal(resumed, whole)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Memory must go away with its last reference, not when the collector happens to run."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Hoarder(TestGenerator):
    """Keeps a large array for as long as its call lasts."""

    def generate(self, *args: object, **kwargs: object) -> GeneratedVideo:  # type: ignore[override]
        ballast = np.zeros(1 << 20)
        self.ballast = weakref.ref(ballast)
        made = super().generate(*args, **kwargs)  # type: ignore[arg-type]
        assert ballast.size
        return made


def test_a_cancelled_job_frees_its_memory(
    store_url: str, no_collector: None, never_released: None
) -> None:
    engine = Hoarder()
    with (
        running_generator(store_url, engine) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = generator_pb2_grpc.GeneratorServiceStub(channel)
        stream = stub.Generate(generate_request("hold"))
        first_step(stream)
        assert engine.ballast() is not None
        stream.cancel()
        freed = engine.ballast
        # The device is free for the next job only when the former has left it.
        take_apart(stub.Generate(generate_request("another", prefix="jobs/8/1")))
        assert freed() is None
    assert isinstance(error_from_rpc(stream), errors.Cancelled)
