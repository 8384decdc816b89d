"""What dies or hangs in a stack is restarted; the processes are small, their health is real."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from services.common.health import LIVENESS
from services.common.stack.config import StackConfig, load_config, save_config
from services.common.stack.down import stop_processes, stop_stack
from services.common.stack.process import is_alive, send
from services.common.stack.starting import start_process
from services.common.stack.state import StackState, read_state, write_state
from services.common.stack.supervisor import Supervisor, SupervisorConfig, start_supervisor
from tests.support.stack import stack_config

TELLS_ITS_ADDRESS = (
    sys.executable,
    "-c",
    "import os, time; print(os.environ.get('OMNIREEL_GENERATOR_LISTEN'), flush=True);"
    "time.sleep(600)",
)
LIMITS = SupervisorConfig(probe_timeout_s=30, faults_in_a_row=2, max_restarts=2)


class Stack:
    """A stack of one generator, which answers (or not) at the address of this test's server."""

    def __init__(self, home: Path, address: str) -> None:
        self.config: StackConfig = stack_config(
            home, commands={"generator": TELLS_ITS_ADDRESS}, grace_s=30.0
        )
        for folder in ("run", "logs"):
            (home / folder).mkdir()
        made = start_process(self.config, "generator", {}, {})
        made = replace(made, address=address)
        write_state(home, StackState("127.0.0.1:7", "tiny", 5.0, (made,)))
        self.lines: list[str] = []
        self.time = 0.0
        self.supervisor = Supervisor(self.config, self.lines.append, LIMITS, lambda: self.time)

    @property
    def state(self) -> StackState:
        state = read_state(self.config.home)
        assert state is not None
        return state

    def look(self) -> None:
        """One round, a probe's time later."""
        self.time += LIMITS.probe_s
        assert self.supervisor.look()

    def kill(self) -> None:
        process = self.state.processes[0].id
        send(process, signal.SIGKILL)
        while is_alive(process):
            pass


@pytest.fixture
def servicer() -> health.HealthServicer:
    made = health.HealthServicer()
    made.set(LIVENESS, health_pb2.HealthCheckResponse.SERVING)
    return made


@pytest.fixture
def stack(tmp_path: Path, servicer: health.HealthServicer) -> Iterator[Stack]:
    server = grpc.server(ThreadPoolExecutor(2))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    made = Stack(tmp_path, f"127.0.0.1:{port}")
    yield made
    state = read_state(tmp_path)
    stop_processes(state.processes if state else (), 30)
    server.stop(0).wait()


def test_what_died_is_restarted_at_its_address(stack: Stack) -> None:
    (before,) = stack.state.processes
    stack.look()
    assert stack.state.processes == (before,)
    stack.kill()
    stack.look()
    (after,) = stack.state.processes
    assert after.pid != before.pid and is_alive(after.id)
    assert after.address == before.address
    while before.address not in Path(after.log).read_text():
        pass
    assert stack.lines == [f"generator ended and was restarted (log: {before.log})"]
    assert stack.state.restarts[-1].endswith(stack.lines[0])


def test_what_hangs_is_killed_and_restarted(stack: Stack, servicer: health.HealthServicer) -> None:
    (before,) = stack.state.processes
    servicer.set(LIVENESS, health_pb2.HealthCheckResponse.NOT_SERVING)
    stack.look()
    assert stack.state.processes == (before,)  # one probe may be late
    stack.look()
    assert not is_alive(before.id)
    assert is_alive(stack.state.processes[0].id)
    assert stack.lines[0].startswith("generator hung and was restarted")


def test_a_new_process_may_take_its_time_to_answer(
    stack: Stack, servicer: health.HealthServicer
) -> None:
    stack.kill()
    stack.look()
    (started,) = stack.state.processes
    silent = replace(started, address="")
    write_state(stack.config.home, StackState("127.0.0.1:7", "tiny", 5.0, (silent,)))
    for _ in range(4):
        stack.look()
    assert is_alive(started.id)
    stack.time += stack.config.start_timeout_s
    stack.look()
    stack.look()
    assert not is_alive(started.id)


def test_too_many_restarts_are_the_last(stack: Stack) -> None:
    for _ in range(LIMITS.max_restarts):
        stack.kill()
        stack.look()
    stack.kill()
    stack.look()
    assert stack.supervisor.given_up == {"generator": "ended"}
    assert "ended after 2 restarts within 10 minutes; it is left as it is" in stack.lines[-1]
    count = len(stack.lines)
    stack.look()
    assert len(stack.lines) == count and not stack.state.alive


def test_restarts_long_ago_do_not_count(stack: Stack) -> None:
    for _ in range(LIMITS.max_restarts + 2):
        stack.kill()
        stack.look()
        stack.time += LIMITS.window_s
    assert not stack.supervisor.given_up and stack.state.alive


def test_its_own_process_restarts_and_goes_down_first(stack: Stack) -> None:
    home = stack.config.home
    supervisor = start_supervisor(stack.config).supervisor
    assert supervisor is not None and is_alive(supervisor.id)
    before = stack.state.processes[0]
    stack.kill()
    while stack.state.processes[0] == before:
        assert is_alive(supervisor.id), Path(supervisor.log).read_text()
    while not stack.state.restarts:
        pass
    last = stack.state.processes[0]
    assert stop_stack(home, lambda line: None, 30.0)
    assert not is_alive(supervisor.id) and not is_alive(last.id)
    assert read_state(home) is None


def test_it_ends_with_its_stack(stack: Stack) -> None:
    stop_stack(stack.config.home, lambda line: None, 30.0)
    assert not stack.supervisor.look()
    stack.supervisor.watch(threading.Event())


def test_the_configuration_travels(tmp_path: Path) -> None:
    config = stack_config(tmp_path, port=1234, workers=2)
    path = tmp_path / "config.json"
    save_config(config, path)
    assert load_config(path) == config
