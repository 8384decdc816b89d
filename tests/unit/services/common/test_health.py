"""What probes are told: startup, readiness, liveness."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from omnireel.api.v1 import generator_pb2, generator_pb2_grpc
from services.common.device_gate import DeviceGate
from services.common.health import LivenessCheck
from services.common.model_host import ModelHost
from services.common.pulse import Patience
from services.common.server import RpcServer
from services.common.status import blameless, error_from_rpc
from services.generator.main import register
from services.generator.settings import GeneratorSettings
from tests.support.engines.generator import TestGenerator
from tests.support.engines.requests import generate_request

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
NAMES = ("startup", "readiness", "liveness", "", "omnireel.api.v1.GeneratorService")


def said(channel: grpc.Channel) -> list[bool]:
    stub = health_pb2_grpc.HealthStub(channel)
    answers = [stub.Check(health_pb2.HealthCheckRequest(service=name)).status for name in NAMES]
    assert set(answers) <= {SERVING, NOT_SERVING}
    return [answer == SERVING for answer in answers]


def until(what: object) -> None:
    end = time.monotonic() + 60
    while not what():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def test_started_then_ready_then_draining(tmp_path: Path) -> None:
    loading, warming = threading.Event(), threading.Event()

    class Slow(TestGenerator):
        def warm_up(self) -> None:
            warming.wait(60)

    def load() -> TestGenerator:
        loading.wait(60)
        return Slow()

    settings = GeneratorSettings(store_url=tmp_path.as_uri(), listen="127.0.0.1:0")
    host: ModelHost[TestGenerator] = ModelHost(load)
    gate = DeviceGate(max_waiting=1, max_wait_s=1)
    with (
        RpcServer(settings, [register(settings, host, gate)]) as server,  # type: ignore[arg-type]
        grpc.insecure_channel(server.address) as channel,
    ):
        assert said(channel) == [False, False, True, False, False]

        def prepare() -> None:
            host.prepare(server.health.set_started)
            server.health.set_serving(True)

        preparing = threading.Thread(target=prepare)
        preparing.start()
        loading.set()
        until(lambda: said(channel) == [True, False, True, False, False])
        warming.set()
        preparing.join()
        assert said(channel) == [True] * 5
        server.health.shut_down()
        server.health.set_serving(True)
        assert said(channel) == [True, False, True, False, False]


def test_a_hung_step_is_no_life_and_a_slow_job_is(tmp_path: Path) -> None:
    at_three, go_on = threading.Event(), threading.Event()

    def hook(step: int) -> None:
        if step == 3:
            at_three.set()
            go_on.wait(60)

    engine = TestGenerator(hook)
    settings = GeneratorSettings(store_url=tmp_path.as_uri(), listen="127.0.0.1:0")
    host: ModelHost[TestGenerator] = ModelHost(lambda: engine)
    host.prepare()
    gate = DeviceGate(max_waiting=1, max_wait_s=1, patience=Patience(step_s=0.3))
    with (
        RpcServer(settings, [register(settings, host, gate)]) as server,  # type: ignore[arg-type]
        LivenessCheck(server.health, lambda: gate.alive),
        grpc.insecure_channel(server.address) as channel,
    ):
        server.health.set_serving(True)
        assert gate.silent_s == 0
        stub = generator_pb2_grpc.GeneratorServiceStub(channel)
        events = stub.Generate(generate_request())
        assert at_three.wait(60)
        until(lambda: said(channel) == [True, True, False, True, True])
        go_on.set()
        answers: list[generator_pb2.GenerateResponse] = list(events)
        assert answers[-1].WhichOneof("event") == "result"
        until(lambda: all(said(channel)))
        assert gate.silent_s == 0


def test_a_broken_device_is_neither_ready_nor_alive(tmp_path: Path) -> None:
    broken = threading.Event()

    def hook(step: int) -> None:
        if step == 2:
            broken.set()
            raise RuntimeError("CUDA error: device-side assert triggered")

    settings = GeneratorSettings(store_url=tmp_path.as_uri(), listen="127.0.0.1:0")
    host: ModelHost[TestGenerator] = ModelHost(lambda: TestGenerator(hook))
    host.prepare()
    gate = DeviceGate(max_waiting=1, max_wait_s=1, works=lambda: not broken.is_set())
    with (
        RpcServer(settings, [register(settings, host, gate)]) as server,  # type: ignore[arg-type]
        LivenessCheck(server.health, lambda: gate.alive),
        grpc.insecure_channel(server.address) as channel,
    ):
        gate.when_broken(lambda: server.health.set_serving(False))
        server.health.set_serving(True)
        stub = generator_pb2_grpc.GeneratorServiceStub(channel)
        for begun in (True, False):
            with pytest.raises(grpc.RpcError) as caught:
                list(stub.Generate(generate_request()))
            assert error_from_rpc(caught.value).reason == "DEVICE_BROKEN"
            # The job that broke it may do so again; those that came later are not to blame.
            assert blameless(caught.value, begun=begun) is not begun
        until(lambda: said(channel) == [True, False, False, False, False])
