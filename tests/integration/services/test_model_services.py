"""The model services as processes: start, health, signals, and the three stages in a row."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from omnireel import errors
from omnireel.api.v1 import (
    capabilities_pb2,
    generator_pb2_grpc,
    mvl_pb2,
    prompt_enhancer_pb2,
    prompt_enhancer_pb2_grpc,
    super_resolver_pb2_grpc,
)
from omnireel.generate import GenerationSettings, GeneratorPipeline
from omnireel.media import read_clip, write_mp4
from omnireel.mvl import parse
from omnireel.sampling import Guidance
from omnireel.store import open_store
from omnireel.types import Clip, VideoFormat
from services.common.artifacts import read_latents
from services.common.interceptors import call_metadata
from services.common.status import error_from_rpc
from tests.support.engines.frames import base_frames, upscaled_frames
from tests.support.engines.processes import service_process
from tests.support.engines.random_weights import save_random_adapter, save_random_weights
from tests.support.engines.requests import (
    first_step,
    generate_request,
    settings,
    take_apart,
    upscale_request,
)

TEST_GENERATOR = ("tests.support.engines.main", "generator")
ANSWER = health_pb2.HealthCheckResponse
GENERATOR_HEALTH = health_pb2.HealthCheckRequest(service="omnireel.api.v1.GeneratorService")


def generator(folder: Path, *command: str, **env: str):
    return service_process(
        folder, command or TEST_GENERATOR, {"PREFIX": "OMNIREEL_GENERATOR_", **env}
    )


def serving(channel) -> None:
    """Return when health says SERVING."""
    for state in health_pb2_grpc.HealthStub(channel).Watch(GENERATOR_HEALTH, timeout=120):
        if state.status == ANSWER.SERVING:
            return


def test_health_is_true_through_a_whole_life(tmp_path):
    load_file = tmp_path / "load"
    with generator(
        tmp_path, OMNIREEL_TEST_LOAD_FILE=str(load_file), OMNIREEL_GENERATOR_LOG_FORMAT="json"
    ) as running:
        with grpc.insecure_channel(running.address()) as channel:
            states = health_pb2_grpc.HealthStub(channel).Watch(GENERATOR_HEALTH, timeout=120)
            assert next(states).status == ANSWER.NOT_SERVING
            load_file.touch()
            assert next(states).status == ANSWER.SERVING
            stub = generator_pb2_grpc.GeneratorServiceStub(channel)
            take_apart(stub.Generate(generate_request(), metadata=call_metadata(job_id="j7")))
            running.process.send_signal(signal.SIGTERM)
            assert next(states).status == ANSWER.NOT_SERVING
            states.cancel()
        assert running.wait() == 0
        lines = [json.loads(line) for line in running.said().splitlines()]
    events = [line["event"] for line in lines]
    assert events == [
        "listening",
        "weights loaded",
        "warmed up",
        "serving",
        "generated",
        "stopping",
        "stopped",
    ]
    generated = lines[4]
    assert (generated["job_id"], generated["service"]) == ("j7", "generator")
    assert generated["seconds"] >= generated["codec_seconds"] >= 0


def test_sigterm_lets_the_running_job_finish(tmp_path):
    release = tmp_path / "release"
    with generator(tmp_path, OMNIREEL_TEST_RELEASE_FILE=str(release)) as running:
        with grpc.insecure_channel(running.address()) as channel:
            serving(channel)
            stream = generator_pb2_grpc.GeneratorServiceStub(channel).Generate(
                generate_request("hold")
            )
            first_step(stream)
            states = health_pb2_grpc.HealthStub(channel).Watch(GENERATOR_HEALTH, timeout=120)
            assert next(states).status == ANSWER.SERVING
            running.process.send_signal(signal.SIGTERM)
            assert next(states).status == ANSWER.NOT_SERVING
            states.cancel()
            release.touch()
            progress, result = take_apart(stream)
            assert [p.step for p in progress] == [2, 3, 4]
            assert result.video.num_frames == 5
        assert running.wait() == 0


def test_a_job_that_outlives_the_grace_is_stopped_and_leaves_nothing(tmp_path):
    steps = tmp_path / "steps"
    with generator(
        tmp_path,
        OMNIREEL_TEST_RELEASE_FILE=str(tmp_path / "never"),
        OMNIREEL_TEST_STEPS_FILE=str(steps),
        OMNIREEL_GENERATOR_GRACE_S="0.2",
    ) as running:
        with grpc.insecure_channel(running.address()) as channel:
            serving(channel)
            stream = generator_pb2_grpc.GeneratorServiceStub(channel).Generate(
                generate_request("hold", preview_every_steps=1)
            )
            first_step(stream)
            running.process.send_signal(signal.SIGTERM)
            with pytest.raises(grpc.RpcError) as caught:
                next(stream)
            # Not "cancelled": the caller must try again.
            assert isinstance(error_from_rpc(caught.value), errors.Unavailable)
        assert running.wait() == 0
    assert steps.read_text() == "generator 3 1\n"
    assert list(open_store(f"file://{tmp_path}/store").list()) == []


def test_cancel_stops_within_one_step(tmp_path):
    steps = tmp_path / "steps"
    with (
        generator(
            tmp_path, OMNIREEL_TEST_STEPS_FILE=str(steps), OMNIREEL_TEST_STEP_S="0.2"
        ) as running,
        grpc.insecure_channel(running.address()) as channel,
    ):
        serving(channel)
        stub = generator_pb2_grpc.GeneratorServiceStub(channel)
        stream = stub.Generate(generate_request("slow", settings=settings(steps=64)))
        for _ in range(3):
            first_step(stream)
        stream.cancel()
        # The next job begins when the cancelled one has stopped.
        other = generate_request(prefix="jobs/8/1", settings=settings(seed=4, steps=1))
        take_apart(stub.Generate(other))
        executed = steps.read_text().splitlines()
    assert executed[-1] == "generator 4 1"
    assert len(executed) - 1 in (3, 4)


def test_the_three_stages_in_a_row_are_exact(tmp_path):
    (tmp_path / "store").mkdir()
    started = {}

    def start(name: str):
        env = {
            "PREFIX": f"OMNIREEL_{name.upper()}_",
            f"OMNIREEL_{name.upper()}_STORE_URL": f"file://{tmp_path}/store",
        }
        return service_process(tmp_path / name, ("tests.support.engines.main", name), env)

    with (
        start("prompt_enhancer") as started["e"],
        start("generator") as started["g"],
        start("super_resolver") as started["s"],
        grpc.insecure_channel(started["e"].address()) as enhancer,
        grpc.insecure_channel(started["g"].address()) as generate,
        grpc.insecure_channel(started["s"].address()) as upscale,
    ):
        for channel in (enhancer, generate, upscale):
            for state in health_pb2_grpc.HealthStub(channel).Watch(
                health_pb2.HealthCheckRequest(), timeout=120
            ):
                if state.status == ANSWER.SERVING:
                    break
        enhance = prompt_enhancer_pb2_grpc.PromptEnhancerServiceStub(enhancer).Enhance
        request = prompt_enhancer_pb2.EnhanceRequest(prompt=mvl_pb2.Prompt(text="a ball"))
        prompt = take_apart(enhance(request))[1].enhancement.prompt
        base = take_apart(
            generator_pb2_grpc.GeneratorServiceStub(generate).Generate(
                generate_request(prompt=prompt)
            )
        )[1]
        final = take_apart(
            super_resolver_pb2_grpc.SuperResolverServiceStub(upscale).Upscale(
                upscale_request(
                    prompt=prompt,
                    latents_uri=base.latents_uri,
                    video_uri=base.video.uri,
                    settings=base.settings,
                )
            )
        )[1]
    store = open_store(f"file://{tmp_path}/store")
    frames = upscaled_frames(base_frames(VideoFormat(64, 64, 5, 8.0), 3))
    assert store.get(final.video.uri) == write_mp4(Clip(frames, 8.0))


def test_real_weights_format_is_served(tmp_path):
    """The real generator process on random weights: loads, warms up, makes a clip."""
    weights = save_random_weights(tmp_path / "tiny")
    with (
        generator(
            tmp_path,
            "services.generator.main",
            OMNIREEL_GENERATOR_WEIGHTS=str(weights),
            OMNIREEL_GENERATOR_THREADS="1",
        ) as running,
        grpc.insecure_channel(running.address()) as channel,
    ):
        serving(channel)
        stub = generator_pb2_grpc.GeneratorServiceStub(channel)
        small = settings(width=32, height=32)
        progress, result = take_apart(
            stub.Generate(generate_request(settings=small, preview_every_steps=1))
        )
        assert [p.step for p in progress] == [1, 2, 3]
        assert progress[0].preview_uri
        store = open_store(f"file://{tmp_path}/store")
        assert read_latents(store, result.latents_uri).shape == (4, 2, 4, 4)
        frames = read_clip(store.get(result.video.uri)).frames_THWC
        assert frames.shape == (5, 32, 32, 3)
        assert np.ptp(frames) > 0


def test_an_adapter_is_served_and_can_be_pinned(tmp_path):
    weights = save_random_weights(tmp_path / "tiny")
    adapter = save_random_adapter(tmp_path / "look" / "adapter", weights / "generator")
    with (
        generator(
            tmp_path,
            "services.generator.main",
            OMNIREEL_GENERATOR_WEIGHTS=str(weights),
            OMNIREEL_GENERATOR_ADAPTER=str(adapter),
            OMNIREEL_GENERATOR_THREADS="1",
        ) as running,
        grpc.insecure_channel(running.address()) as channel,
    ):
        serving(channel)
        stub = generator_pb2_grpc.GeneratorServiceStub(channel)
        info = stub.GetModelInfo(capabilities_pb2.GetModelInfoRequest())
        base, _, own = info.version.partition("+")
        assert len(base) == len(own) == 16 and info.name == "tiny-generator+look-adapter"
        small = settings(width=32, height=32)
        _, result = take_apart(
            stub.Generate(generate_request(settings=small, model_version=info.version))
        )
        assert result.model_version == info.version
        latents = read_latents(open_store(f"file://{tmp_path}/store"), result.latents_uri)
        with pytest.raises(grpc.RpcError) as caught:
            take_apart(stub.Generate(generate_request(settings=small, model_version=base)))
        assert f"'{info.version}' is deployed" in error_from_rpc(caught.value).message
    direct = GeneratorPipeline.load(weights, adapter=adapter).generate(
        parse("a ball"),
        {},
        GenerationSettings(VideoFormat(32, 32, 5, 8.0), 3, 3, Guidance(2, 1, 1)),
    )
    np.testing.assert_allclose(latents, direct.latents_CTHW.numpy(), atol=1e-5)


def test_tampered_weights_are_one_clear_line_and_never_serving(tmp_path):
    weights = save_random_weights(tmp_path / "tiny")
    path = weights / "generator" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x55")
    with generator(
        tmp_path, "services.generator.main", OMNIREEL_GENERATOR_WEIGHTS=str(weights)
    ) as running:
        seen: list[int] = []

        def watch() -> None:
            with grpc.insecure_channel(running.address()) as channel:
                try:
                    states = health_pb2_grpc.HealthStub(channel).Watch(GENERATOR_HEALTH)
                    seen.extend(state.status for state in states)
                except grpc.RpcError:
                    pass

        watcher = threading.Thread(target=watch)
        watcher.start()
        assert running.wait() == 1
        watcher.join()
        said = running.said()
    assert ANSWER.SERVING not in seen
    assert "Traceback" not in said
    (line,) = [line for line in said.splitlines() if "error" in line]
    assert "does not match the SHA-256" in line
    assert "model.safetensors" in line
    assert "serving" not in said.split()


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"OMNIREEL_GENERATOR_GRACE_S": "soon"}, "OMNIREEL_GENERATOR_GRACE_S"),
        ({"OMNIREEL_GENERATOR_LISTEN": "0.0.0.0:0"}, "allow_remote"),
        ({"OMNIREEL_GENERATOR_STORE_URL": "ftp://x"}, "not a store address"),
    ],
)
def test_a_wrong_setting_is_one_line(tmp_path, env, words):
    with generator(tmp_path, **env) as running:
        assert running.wait() == 1
        (line,) = running.said().splitlines()
    assert line.startswith("error: ")
    assert words in line


def test_a_taken_port_is_one_line(tmp_path):
    with generator(tmp_path / "a") as first:
        address = first.address()
        with generator(tmp_path / "b", OMNIREEL_GENERATOR_LISTEN=address) as second:
            assert second.wait() == 1
            (line,) = second.said().splitlines()
    assert line.startswith("error: cannot listen on ")
    assert "OMNIREEL_GENERATOR_LISTEN" in line
