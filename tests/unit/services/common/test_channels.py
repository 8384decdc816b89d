"""Calls go in turn to the replicas that are ready, and to no others."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent import futures

import grpc
import pytest

from services.common.channels import open_balanced_channel
from services.common.health import Health


class Replica:
    """A server that says its name."""

    def __init__(self, name: str) -> None:
        self._server = grpc.server(futures.ThreadPoolExecutor(2))
        self.health = Health(())
        self.health.attach(self._server)
        handler = grpc.unary_unary_rpc_method_handler(lambda _request, _context: name.encode())
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("Test", {"Name": handler}),)
        )
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def stop(self) -> None:
        self._server.stop(0).wait()


@pytest.fixture
def replicas() -> Iterator[tuple[Replica, Replica]]:
    both = Replica("first"), Replica("second")
    yield both
    for replica in both:
        replica.stop()


def answers(channel: grpc.Channel, count: int) -> Counter[str]:
    """How many of so many calls each replica answered; none of them waits."""
    ask = channel.unary_unary("/Test/Name")
    found: Counter[str] = Counter()
    for _ in range(count):
        try:
            found[ask(b"", timeout=10).decode()] += 1
        except grpc.RpcError as error:
            found[error.code().name] += 1
    return found


def until(channel: grpc.Channel, count: int, wanted: dict[str, int]) -> None:
    end = time.monotonic() + 60
    while (found := answers(channel, count)) != wanted:
        assert time.monotonic() < end, f"{found} instead of {wanted}"
        time.sleep(0.02)


def test_ready_replicas_take_turns(replicas: tuple[Replica, Replica]) -> None:
    first, second = replicas
    address = f"ipv4:127.0.0.1:{first.port},127.0.0.1:{second.port}"
    with open_balanced_channel(address, None) as channel:
        assert answers(channel, 1) == {"UNAVAILABLE": 1}  # both load
        first.health.set_serving(True)
        until(channel, 4, {"first": 4})
        second.health.set_serving(True)
        until(channel, 4, {"first": 2, "second": 2})
        first.health.shut_down()  # it drains, and its port is open still
        until(channel, 4, {"second": 4})


def test_a_replica_without_health_is_called_all_the_same() -> None:
    server = grpc.server(futures.ThreadPoolExecutor(2))
    handler = grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"plain")
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("Test", {"Name": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with open_balanced_channel(f"127.0.0.1:{port}", None) as channel:
        until(channel, 2, {"plain": 2})
    server.stop(0).wait()
