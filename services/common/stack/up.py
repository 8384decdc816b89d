"""Starts a stack and waits until all of it serves; what fails on the way leaves nothing behind.

1. The model services start on free ports and load their weights.
2. As soon as their addresses are known, the gateway and the workers start beside them.
3. Each is reported when ``grpc.health.v1`` says SERVING.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

from omnireel.errors import DeadlineExceeded, FailedPrecondition
from services.common.stack.config import MODEL_SERVICES, StackConfig
from services.common.stack.down import stop_processes
from services.common.stack.probe import SERVING, health_of
from services.common.stack.process import is_alive
from services.common.stack.starting import start_process
from services.common.stack.state import (
    ProcessState,
    StackState,
    locked,
    read_state,
    state_file,
    write_state,
)
from services.common.stack.weights import link_parts

POLL_S = 0.1
SUPERVISOR_GRACE_S = 5.0


def start_stack(config: StackConfig, report: Callable[[str], None]) -> StackState:
    """Start everything; ``report`` gets one line for each service that serves.

    Raises:
        FailedPrecondition: it runs already, the port is taken, the environment sets what the stack
            decides, or a process ended while starting (with the end of its log).
        DeadlineExceeded: it took longer than ``start_timeout_s``.
    """
    with locked(config.home):
        _require_stopped(config.home)
        config.require_no_override()
        _require_free_port(config.port, "--port")
        _require_free_port(config.http_port, "--http-port")
        for folder in ("run", "logs", "objects"):
            (config.home / folder).mkdir(parents=True, exist_ok=True)
        if config.parts:
            link_parts(config.parts, config.weights)
        start = _Start(config, report)
        try:
            return start.run()
        except BaseException:
            stop_processes(start.processes, config.grace_s)
            state_file(config.home).unlink(missing_ok=True)
            raise


class _Start:
    """One attempt to start a stack."""

    def __init__(self, config: StackConfig, report: Callable[[str], None]) -> None:
        self._config = config
        self._report = report
        self._started_at = time.time()
        self._deadline = time.monotonic() + config.start_timeout_s
        self._by_name: dict[str, ProcessState] = {}

    @property
    def processes(self) -> tuple[ProcessState, ...]:
        """What was started so far."""
        return tuple(self._by_name.values())

    def run(self) -> StackState:
        for name in MODEL_SERVICES:
            self._spawn(name, {})
        self._wait("listen", self._find_addresses, MODEL_SERVICES)
        addresses = {name: self._by_name[name].address for name in MODEL_SERVICES}
        rest = [name for name in self._config.names if name not in MODEL_SERVICES]
        for name in rest:
            self._spawn(name, addresses)
        self._wait("listen", self._find_addresses, rest)
        self._wait("serve", self._find_serving, self._config.names)
        return self._write()

    def _spawn(self, name: str, addresses: dict[str, str]) -> None:
        self._by_name[name] = start_process(self._config, name, addresses, {})
        self._write()  # at once: if this command is killed, `down` still finds the process

    def _write(self) -> StackState:
        gateway = self._by_name.get("gateway")
        address = gateway.address if gateway else ""
        http = self._config.http_address_file
        state = StackState(
            gateway=address or f"127.0.0.1:{self._config.port}",
            size=self._config.size,
            started_at=self._started_at,
            processes=self.processes,
            http=http.read_text().strip() if address and http.exists() else "",
        )
        write_state(self._config.home, state)
        return state

    def _wait(
        self, verb: str, find: Callable[[list[str]], list[str]], names: tuple[str, ...] | list[str]
    ) -> None:
        missing = list(names)
        while missing := find(missing):
            for process in self.processes:
                if not is_alive(process.id):
                    raise FailedPrecondition(
                        f"{process.name} ended while starting: {log_tail(Path(process.log))} "
                        f"(log: {process.log})",
                        reason="START_FAILED",
                    )
            if time.monotonic() > self._deadline:
                raise DeadlineExceeded(
                    f"{', '.join(missing)} did not {verb} within "
                    f"{self._config.start_timeout_s:g} s; look into {self._config.home / 'logs'}"
                )
            time.sleep(POLL_S)

    def _find_addresses(self, names: list[str]) -> list[str]:
        missing = []
        for name in names:
            file = self._config.address_file(name)
            if not file.exists():
                missing.append(name)
                continue
            known = self._by_name[name]
            self._by_name[name] = ProcessState(
                name, known.pid, known.start_ticks, file.read_text().strip(), known.log
            )
        self._write()
        return missing

    def _find_serving(self, names: list[str]) -> list[str]:
        missing = []
        for name in names:
            address = self._by_name[name].address
            if health_of(address) == SERVING:
                seconds = time.time() - self._started_at
                self._report(f"{name:<16} serving on {address} after {seconds:.1f} s")
            else:
                missing.append(name)
        return missing


def log_tail(log: Path, lines: int = 1) -> str:
    """The last written lines of a log, as one."""
    written = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    return " | ".join([line for line in written if line][-lines:]) or "(nothing was logged)"


def _require_stopped(home: Path) -> None:
    state = read_state(home)
    if state is None:
        return None
    alive = state.alive
    if not alive:
        if state.supervisor is not None and is_alive(state.supervisor.id):
            stop_processes([state.supervisor], SUPERVISOR_GRACE_S)
            return _require_stopped(home)  # it may have started something until then
        state_file(home).unlink()  # the machine went down, or everything was killed
        return None
    dead = ", ".join(process.name for process in state.processes if process not in alive)
    problem = (
        f"runs only in part ({dead} ended); stop it with `omnireel down`, then start it again"
        if dead
        else f"runs already, with its gateway at {state.gateway}; use it, or stop it with "
        "`omnireel down`"
    )
    raise FailedPrecondition(f"the stack in {home} {problem}", reason="ALREADY_RUNNING")


def _require_free_port(port: int, option: str) -> None:
    if port == 0:
        return
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise FailedPrecondition(
                f"port {port} is taken ({error.strerror}); choose another with {option}, or stop "
                "what uses it",
                reason="ADDRESS_IN_USE",
            ) from error
