"""Gateways that die, and gateways beside each other: watchers go on, and any of them answers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from omnireel.api.v1 import video_pb2
from omnireel.client import OmnireelClient, ReconnectPolicy, stack_key
from services.common.stack.config import MODEL_SERVICES
from services.common.stack.down import stop_stack
from services.common.stack.process import ProcessId, is_alive, send, spawn
from services.common.stack.state import StackState
from services.common.stack.up import start_stack
from tests.support.stack import QUICK, Api, stack_config

PATIENCE_S = 60.0


def until(what: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


class Replicas:
    """A stack whose gateway can be killed, started anew and given a neighbour."""

    def __init__(self, home: Path) -> None:
        self.release = home / "release"
        environment = {**QUICK, "OMNIREEL_TEST_RELEASE_FILE": str(self.release)}
        self.config = stack_config(home, environment=environment)
        self.state: StackState = start_stack(self.config, lambda line: None)
        self.key = stack_key(self.config.home)
        self._more: list[ProcessId] = []
        self._pids = {process.name: process.id for process in self.state.processes}

    def kill_gateway(self) -> None:
        os.kill(self._pids["gateway"].pid, signal.SIGKILL)
        until(lambda: not is_alive(self._pids["gateway"]))

    def start_gateway(self, name: str, listen: str) -> str:
        """A gateway of the same stack; gives back its address."""
        addresses = {p.name: p.address for p in self.state.processes if p.name in MODEL_SERVICES}
        address_file = self.config.home / "run" / f"{name}.address"
        environment = {
            **self.config.environment_of("gateway", addresses),
            "OMNIREEL_GATEWAY_LISTEN": listen,
            "OMNIREEL_GATEWAY_ADDRESS_FILE": str(address_file),
        }
        log = self.config.log_file(name)
        self._more.append(spawn(self.config.commands["gateway"], environment, log))
        until(address_file.exists)
        return address_file.read_text().strip()

    def stop(self) -> None:
        for process in self._more:
            send(process, signal.SIGKILL)
        stop_stack(self.config.home, lambda line: None, 20.0)


@pytest.fixture
def replicas(tmp_path: Path) -> Iterator[Replicas]:
    made = Replicas(tmp_path)
    yield made
    made.release.touch()
    made.stop()


def test_a_watcher_outlives_the_gateway(replicas: Replicas) -> None:
    events: list[video_pb2.VideoProgress] = []
    patient = ReconnectPolicy(max_failures=1000, max_delay_s=0.2)
    address, key = replicas.state.gateway, replicas.key
    with OmnireelClient(address, api_key=key, reconnect=patient) as client:
        video = client.create("hold-generator")
        watching = Thread(target=_watch_into, args=(client, video.name, events))
        watching.start()
        until(lambda: events and events[-1].progress.stage == 3 and events[-1].progress.step == 1)
        before = len(events)
        replicas.kill_gateway()
        replicas.release.touch()  # the job goes on, and ends, while nobody can watch it
        replicas.start_gateway("gateway-again", address)
        watching.join(PATIENCE_S)
    assert len(events) > before
    numbers = [int(event.resume_token) for event in events]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    steps = [(e.progress.stage, e.progress.step) for e in events if e.progress.step]
    assert [step for stage, step in steps if stage == 3] == [1, 2, 3, 4]
    assert events[-1].video.state == video_pb2.VIDEO_STATE_SUCCEEDED


def _watch_into(client: OmnireelClient, name: str, events: list[video_pb2.VideoProgress]) -> None:
    for event in client.watch(name):
        events.append(event)  # noqa: PERF402 - the test looks at them meanwhile


def test_any_replica_answers(replicas: Replicas) -> None:
    first = Api(replicas.state.gateway, replicas.key)
    second = Api(replicas.start_gateway("gateway-2", "127.0.0.1:0"), replicas.key)
    held = first.create("hold-generator", request_id="one")
    assert second.create("hold-generator", request_id="one") == held
    watching = second.watch(held)
    assert next(watching).name == f"videos/{held}"
    until(lambda: second.get(held).progress.step == 1)
    second.cancel(held)
    assert [event.state for event in watching][-1] == video_pb2.VIDEO_STATE_CANCELLED
    assert first.get(held).state == video_pb2.VIDEO_STATE_CANCELLED
    made = second.finish(first.create())
    assert made.state == video_pb2.VIDEO_STATE_SUCCEEDED, made.error
    uri = made.outputs.video.uri
    assert first.download(uri) == second.download(uri)
    first.delete(made.name.removeprefix("videos/"))
    assert second.state_or_gone(made.name.removeprefix("videos/")) is None
    first.close()
    second.close()
