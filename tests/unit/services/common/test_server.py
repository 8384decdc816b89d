"""The server on real ports: errors, health, ports, and the graceful stop."""

from __future__ import annotations

import threading
from concurrent import futures

import grpc
import pytest
import structlog
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from omnireel import errors
from omnireel.api.v1 import capabilities_pb2, generator_pb2, generator_pb2_grpc
from services.common.interceptors import call_metadata
from services.common.server import Registration, RpcServer
from services.common.settings import ServiceSettings
from services.common.status import error_from_rpc

SERVICE = "omnireel.api.v1.GeneratorService"


class Scripted(generator_pb2_grpc.GeneratorServiceServicer):
    """Does what the test says."""

    def __init__(self) -> None:
        self.behave = lambda: None
        self.seen: list[dict] = []

    def GetModelInfo(self, request, context):  # noqa: N802
        self.seen.append(structlog.contextvars.get_contextvars())
        self.behave()
        return capabilities_pb2.ModelInfo(name="scripted")

    def Generate(self, request, context):  # noqa: N802
        yield generator_pb2.GenerateResponse()
        self.behave()
        yield generator_pb2.GenerateResponse()


def registration(servicer) -> Registration:
    return Registration(
        SERVICE,
        lambda server: generator_pb2_grpc.add_GeneratorServiceServicer_to_server(servicer, server),
    )


@pytest.fixture
def scripted():
    return Scripted()


@pytest.fixture
def server(scripted):
    settings = ServiceSettings(listen="127.0.0.1:0", grace_s=30)
    with RpcServer(settings, [registration(scripted)]) as server:
        yield server


@pytest.fixture
def channel(server):
    with grpc.insecure_channel(server.address) as channel:
        yield channel


@pytest.fixture
def stub(channel):
    return generator_pb2_grpc.GeneratorServiceStub(channel)


ASK = capabilities_pb2.GetModelInfoRequest()
ERRORS = [
    (errors.InvalidInput("x", field="a.b"), grpc.StatusCode.INVALID_ARGUMENT),
    (errors.NotFound("x"), grpc.StatusCode.NOT_FOUND),
    (errors.AlreadyExists("x"), grpc.StatusCode.ALREADY_EXISTS),
    (errors.FailedPrecondition("x"), grpc.StatusCode.FAILED_PRECONDITION),
    (errors.ResourceExhausted("x", retry_after_s=3), grpc.StatusCode.RESOURCE_EXHAUSTED),
    (errors.Unavailable("x"), grpc.StatusCode.UNAVAILABLE),
    (errors.Cancelled("x"), grpc.StatusCode.CANCELLED),
    (errors.DeadlineExceeded("x"), grpc.StatusCode.DEADLINE_EXCEEDED),
    (errors.IntegrityError("x"), grpc.StatusCode.DATA_LOSS),
    (RuntimeError("secret"), grpc.StatusCode.INTERNAL),
]


@pytest.mark.parametrize(("error", "code"), ERRORS, ids=lambda v: getattr(v, "name", ""))
@pytest.mark.parametrize("method", ["GetModelInfo", "Generate"])
def test_exceptions_become_status(stub, scripted, error, code, method):
    def behave() -> None:
        raise error

    scripted.behave = behave
    with pytest.raises(grpc.RpcError) as caught:
        if method == "Generate":
            list(stub.Generate(generator_pb2.GenerateRequest()))
        else:
            stub.GetModelInfo(ASK)
    assert caught.value.code() == code
    assert "secret" not in caught.value.details()
    status = rpc_status.from_call(caught.value)
    assert status.details[0].Is(error_details_pb2.ErrorInfo.DESCRIPTOR)
    back = error_from_rpc(caught.value)
    if isinstance(error, errors.OmnireelError):
        assert type(back) is type(error)
        assert back.message == "x"


def test_events_before_an_error_arrive(stub, scripted):
    def behave() -> None:
        raise errors.NotFound("gone")

    scripted.behave = behave
    stream = stub.Generate(generator_pb2.GenerateRequest())
    assert next(stream) == generator_pb2.GenerateResponse()
    with pytest.raises(grpc.RpcError):
        next(stream)


def test_a_dead_peer_is_unavailable():
    with grpc.insecure_channel("127.0.0.1:1") as channel, pytest.raises(grpc.RpcError) as caught:
        generator_pb2_grpc.GeneratorServiceStub(channel).GetModelInfo(ASK)
    assert isinstance(error_from_rpc(caught.value), errors.Unavailable)


def test_ids_are_bound_for_the_time_of_the_call(stub, scripted):
    stub.GetModelInfo(ASK, metadata=call_metadata(job_id="j7", request_id="r7"))
    stub.GetModelInfo(ASK)
    first, second = scripted.seen
    assert first == {"job_id": "j7", "request_id": "r7"}
    assert second["request_id"] not in ("", "r7")
    assert "job_id" not in second


def test_health_tells_the_truth(server, channel):
    health = health_pb2_grpc.HealthStub(channel)
    states = health.Watch(health_pb2.HealthCheckRequest(service=SERVICE))
    answer = health_pb2.HealthCheckResponse
    assert next(states).status == answer.NOT_SERVING
    for name in ("", SERVICE):
        assert health.Check(health_pb2.HealthCheckRequest(service=name)).status == 2
    server.health.set_serving(True)
    assert next(states).status == answer.SERVING
    server.health.shut_down()
    assert next(states).status == answer.NOT_SERVING
    server.health.set_serving(True)
    assert health.Check(health_pb2.HealthCheckRequest()).status == answer.NOT_SERVING
    with pytest.raises(grpc.RpcError) as caught:
        health.Check(health_pb2.HealthCheckRequest(service="nobody"))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    states.cancel()


def test_a_taken_port_is_one_clear_line(server):
    settings = ServiceSettings(listen=server.address)
    with pytest.raises(errors.FailedPrecondition, match="the port is taken") as caught:
        RpcServer(settings, []).start()
    assert server.address in caught.value.message
    assert "\n" not in caught.value.message


def test_the_address_is_written_when_it_is_known(tmp_path):
    path = tmp_path / "run" / "address"
    settings = ServiceSettings(listen="127.0.0.1:0", address_file=path)
    with RpcServer(settings, []) as server:
        assert path.read_text() == server.address + "\n"
    assert list(path.parent.iterdir()) == [path]


def names_by_reflection(address: str) -> list[str]:
    ask = reflection_pb2.ServerReflectionRequest(list_services="")
    with grpc.insecure_channel(address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        (answer,) = stub.ServerReflectionInfo(iter([ask]))
    return [service.name for service in answer.list_services_response.service]


def test_reflection_is_opt_in(server, scripted):
    with pytest.raises(grpc.RpcError) as caught:
        names_by_reflection(server.address)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    settings = ServiceSettings(listen="127.0.0.1:0", reflection=True)
    with RpcServer(settings, [registration(scripted)]) as other:
        assert SERVICE in names_by_reflection(other.address)


def test_a_graceful_stop_lets_running_calls_finish_and_takes_no_new_ones(server, scripted):
    inside, finish = threading.Event(), threading.Event()

    def behave() -> None:
        inside.set()
        assert finish.wait(60)

    scripted.behave = behave
    with (
        grpc.insecure_channel(server.address) as channel,
        futures.ThreadPoolExecutor(2) as pool,
    ):
        stub = generator_pb2_grpc.GeneratorServiceStub(channel)
        states = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        server.health.set_serving(True)
        running = pool.submit(stub.GetModelInfo, ASK)
        assert inside.wait(60)
        stopping = pool.submit(server.stop)
        while next(states).status != health_pb2.HealthCheckResponse.NOT_SERVING:
            pass
        states.cancel()
        scripted.behave = lambda: None
        with grpc.insecure_channel(server.address) as fresh, pytest.raises(grpc.RpcError) as caught:
            while True:
                generator_pb2_grpc.GeneratorServiceStub(fresh).GetModelInfo(ASK)
        assert isinstance(error_from_rpc(caught.value), errors.Unavailable)
        assert not stopping.done()
        finish.set()
        assert running.result().name == "scripted"
        stopping.result()


def test_grace_has_an_end(server, scripted):
    inside, over = threading.Event(), threading.Event()

    class Waiting(Scripted):
        def Generate(self, request, context):  # noqa: N802
            context.add_callback(over.set)
            yield generator_pb2.GenerateResponse()
            inside.set()
            assert over.wait(60)

    with (
        RpcServer(ServiceSettings(listen="127.0.0.1:0"), [registration(Waiting())]) as other,
        grpc.insecure_channel(other.address) as channel,
    ):
        stub = generator_pb2_grpc.GeneratorServiceStub(channel)
        stream = stub.Generate(generator_pb2.GenerateRequest())
        next(stream)
        assert inside.wait(60)
        other.stop(0)
        assert over.is_set()
        with pytest.raises(grpc.RpcError) as caught:
            next(stream)
        assert isinstance(error_from_rpc(caught.value), errors.Unavailable)


def test_a_call_that_the_caller_cancelled_is_cancelled(stub, scripted):
    over = threading.Event()
    scripted.behave = lambda: over.wait(60)
    stream = stub.Generate(generator_pb2.GenerateRequest())
    next(stream)
    stream.cancel()
    with pytest.raises(grpc.RpcError) as caught:
        next(stream)
    over.set()
    assert isinstance(error_from_rpc(caught.value), errors.Cancelled)
