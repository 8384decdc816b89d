from __future__ import annotations

import json
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from omnireel.cli.main import app
from omnireel.errors import DeadlineExceeded, FailedPrecondition, InvalidInput, NotFound
from services.common.jobs import NewJob, open_jobs
from services.common.stack.config import StackConfig, service_of
from services.common.stack.down import stop_processes, stop_stack
from services.common.stack.process import ProcessId, is_alive, memory_bytes, send, spawn
from services.common.stack.state import (
    ProcessState,
    StackState,
    locked,
    read_state,
    write_state,
)
from services.common.stack.up import start_stack
from tests.support.stack import stack_config

SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('deaf', flush=True); time.sleep(600)",
)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[ProcessState]]:
    processes: list[ProcessState] = []
    yield processes
    stop_processes(processes, 0)


def start(
    started: list[ProcessState], folder: Path, command: tuple[str, ...] = SLEEP, name: str = "x"
) -> ProcessState:
    log = folder / f"{name}.log"
    made = spawn(command, {"PATH": ""}, log)
    started.append(ProcessState(name, made.pid, made.start_ticks, "", str(log)))
    return started[-1]


def test_process_is_known_by_number_and_time(tmp_path: Path, started: list[ProcessState]) -> None:
    process = start(started, tmp_path)
    assert is_alive(process.id)
    assert memory_bytes(process.id) > 0
    somebody_else = ProcessId(process.pid, process.start_ticks + 1)
    assert not is_alive(somebody_else)
    send(somebody_else, signal.SIGKILL)
    assert is_alive(process.id)  # a number that was used again is left alone
    assert stop_processes([process], 30) == (("x", False),)
    assert not is_alive(process.id)
    assert memory_bytes(process.id) == 0
    assert stop_processes([process], 30) == ()


def test_deaf_process_is_killed(tmp_path: Path, started: list[ProcessState]) -> None:
    process = start(started, tmp_path, STUBBORN)
    while "deaf" not in Path(process.log).read_text():
        pass
    assert stop_processes([process], 0.2) == (("x", True),)
    assert not is_alive(process.id)


def test_no_such_program(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no-such-program"):
        spawn(("no-such-program",), {"PATH": ""}, tmp_path / "log")


def test_state_round_trip_and_damage(tmp_path: Path) -> None:
    assert read_state(tmp_path) is None
    state = StackState("127.0.0.1:7", "tiny", 5.0, (ProcessState("a", 1, 2, "b", "c"),))
    write_state(tmp_path, state)
    assert read_state(tmp_path) == state
    assert json.loads((tmp_path / "stack.json").read_text())["gateway"] == "127.0.0.1:7"
    (tmp_path / "stack.json").write_text("{")
    with pytest.raises(FailedPrecondition, match="damaged"):
        read_state(tmp_path)


def test_one_command_at_a_time(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(FailedPrecondition, match="right now"):  # noqa: SIM117
        with locked(tmp_path):
            pass
    with locked(tmp_path):
        pass


def test_config_is_checked(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"size 'huge'.*tiny"):
        stack_config(tmp_path, size="huge")
    with pytest.raises(InvalidInput, match="port"):
        stack_config(tmp_path, port=70000)
    with pytest.raises(InvalidInput, match="workers"):
        stack_config(tmp_path, workers=0)
    with pytest.raises(InvalidInput, match=r"no adapter in .*omnireel train lora"):
        stack_config(tmp_path, adapter=tmp_path)


def test_processes_get_their_settings(tmp_path: Path) -> None:
    config = stack_config(tmp_path, port=1234, workers=2)
    assert config.names[-3:] == ("gateway", "worker", "worker-2")
    assert service_of("worker-2") == "worker"
    addresses = {"generator": "127.0.0.1:1"}
    gateway = config.environment_of("gateway", addresses)
    assert gateway["OMNIREEL_GATEWAY_LISTEN"] == "127.0.0.1:1234"
    assert gateway["OMNIREEL_GATEWAY_GENERATOR"] == "127.0.0.1:1"
    worker = config.environment_of("worker-2", addresses)
    assert worker["OMNIREEL_WORKER_ADDRESS_FILE"].endswith("worker-2.address")
    assert worker["OMNIREEL_WORKER_BROKER_URL"].startswith("files:///")
    assert worker["OMNIREEL_WORKER_LEASE_S"] == "1.5"
    generator = config.environment_of("generator", {})
    assert generator["OMNIREEL_GENERATOR_WEIGHTS"] == str(tmp_path / "weights" / "tiny")
    assert "OMNIREEL_GENERATOR_ADAPTER" not in generator
    (tmp_path / "card.json").write_text("{}")
    adapted = stack_config(tmp_path, adapter=tmp_path)
    with_adapter = adapted.environment_of("generator", {})
    assert with_adapter["OMNIREEL_GENERATOR_ADAPTER"] == str(tmp_path)
    assert "OMNIREEL_SUPER_RESOLVER_ADAPTER" not in adapted.environment_of("super_resolver", {})


def test_a_safety_policy_of_the_environment_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "OMNIREEL_WORKER_SAFETY"
    monkeypatch.delenv(name, raising=False)
    config = stack_config(tmp_path)
    assert config.environment_of("worker", {})[name] == "off"
    monkeypatch.setenv(name, "https://classifier.example/check")
    assert config.environment_of("worker", {})[name] == "https://classifier.example/check"
    config.require_no_override()


@pytest.mark.parametrize(
    "name",
    [
        "OMNIREEL_GENERATOR_WEIGHTS",
        "OMNIREEL_GATEWAY_DATABASE_URL",
        "OMNIREEL_GATEWAY_GENERATOR",
        "OMNIREEL_WORKER_BROKER_URL",
        "OMNIREEL_SUPER_RESOLVER_STORE_URL",
    ],
)
def test_what_the_stack_decides_cannot_be_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "elsewhere")
    monkeypatch.setenv("OMNIREEL_GENERATOR_THREADS", "2")  # this one it leaves to everybody
    with pytest.raises(FailedPrecondition, match=f"decides {name} itself: unset it"):
        start_stack(stack_config(tmp_path), print)
    assert read_state(tmp_path) is None


def test_taken_port(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(FailedPrecondition, match=f"port {port} is taken.*--port"):
            start_stack(stack_config(tmp_path, port=port), print)
    assert read_state(tmp_path) is None


def test_already_running(tmp_path: Path, started: list[ProcessState]) -> None:
    alive = start(started, tmp_path)
    dead = ProcessState("y", alive.pid, alive.start_ticks + 1, "", alive.log)
    write_state(tmp_path, StackState("127.0.0.1:7", "tiny", 5.0, (alive, dead)))
    with pytest.raises(FailedPrecondition, match=r"in part \(y ended\).*omnireel down") as caught:
        start_stack(stack_config(tmp_path), print)
    assert "gateway" not in caught.value.message
    write_state(tmp_path, StackState("127.0.0.1:7", "tiny", 5.0, (alive,)))
    with pytest.raises(FailedPrecondition, match=r"runs already.*127.0.0.1:7.*omnireel down"):
        start_stack(stack_config(tmp_path), print)
    assert is_alive(alive.id)


def test_what_dies_while_starting_takes_the_rest_with_it(tmp_path: Path) -> None:
    config = _stack_of(tmp_path, SLEEP)
    broken = (sys.executable, "-c", "import sys; sys.exit('error: the weights are missing')")
    commands = {**config.commands, "super_resolver": broken}
    log = config.log_file("generator")
    with pytest.raises(FailedPrecondition, match=r"super_resolver ended.*weights are missing"):
        start_stack(_stack_of(tmp_path, SLEEP, commands=commands), print)
    assert read_state(tmp_path) is None
    assert log.exists()
    assert not stop_stack(tmp_path, print)


def test_what_takes_too_long(tmp_path: Path) -> None:
    with pytest.raises(DeadlineExceeded, match=r"prompt_enhancer.*did not listen within 0\.3 s"):
        start_stack(_stack_of(tmp_path, SLEEP, start_timeout_s=0.3), print)
    assert read_state(tmp_path) is None


def test_stale_state_is_no_obstacle(tmp_path: Path) -> None:
    gone = ProcessState("x", 1, 1, "", "")  # number 1 is alive, but not since then
    write_state(tmp_path, StackState("127.0.0.1:7", "tiny", 5.0, (gone,)))
    with pytest.raises(DeadlineExceeded):
        start_stack(_stack_of(tmp_path, SLEEP, start_timeout_s=0.1), print)


def test_verbs_without_a_stack(tmp_path: Path) -> None:
    runner, home = CliRunner(), ["--home", str(tmp_path / "none")]
    result = runner.invoke(app, ["status", *home])
    assert result.exit_code == 1 and "omnireel up" in result.output
    result = runner.invoke(app, ["down", *home])
    assert result.exit_code == 0 and "nothing runs" in result.output
    result = runner.invoke(app, ["up", "--size", "nope", *home])
    assert result.exit_code == 2 and "size" in result.output
    for verb in ("up", "down", "status"):
        result = runner.invoke(app, [verb, "--help"])
        assert result.exit_code == 0 and "Example" in result.output


@pytest.mark.parametrize("reference", [False, True])
def test_status_of_services_elsewhere_is_their_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: bool
) -> None:
    """As in a gateway's container, whose database is a secret file and which holds no stack."""
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    jobs = open_jobs(url)
    jobs.submit(NewJob("team", b"x"))
    jobs.close()
    secret = tmp_path / "url"
    secret.write_text(f"{url}\n")
    home = tmp_path / "none"
    monkeypatch.setenv("OMNIREEL_HOME", str(home))
    monkeypatch.setenv("OMNIREEL_GATEWAY_DATABASE_URL", f"file:{secret}" if reference else url)
    result = CliRunner().invoke(app, ["status"])
    assert result.exit_code == 0 and "queue: 1 waiting" in result.output, result.output
    named = CliRunner().invoke(app, ["status", "--home", str(home)])
    assert named.exit_code == 1 and f"nothing runs in {home}" in named.output


def _stack_of(home: Path, command: tuple[str, ...], **more: object) -> StackConfig:
    commands = dict.fromkeys(
        ("prompt_enhancer", "generator", "super_resolver", "gateway", "worker"), command
    )
    return stack_config(home, **{"commands": commands, "grace_s": 5.0, **more})
