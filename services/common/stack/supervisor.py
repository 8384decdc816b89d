"""Restarts what died or hangs in a running stack, up to a limit, and says so.

``omnireel up`` leaves it running as a process of its own; ``--foreground`` runs it itself. It reads
``stack.json`` anew in every round, so it ends when the stack is taken down.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from services.common.health import LIVENESS
from services.common.stack.config import MODEL_SERVICES, StackConfig, load_config, save_config
from services.common.stack.down import stop_processes
from services.common.stack.probe import NO_ANSWER, SERVING, health_of
from services.common.stack.process import is_alive, spawn
from services.common.stack.starting import same_addresses, start_process
from services.common.stack.state import (
    ProcessState,
    StackState,
    locked,
    read_state,
    write_state,
)

NAME = "supervisor"
SHOWN = 5
"""Lines about restarts that ``stack.json`` keeps."""


@dataclass(frozen=True)
class SupervisorConfig:
    """How it looks, and when it acts."""

    poll_s: float = 1.0
    """Between two looks at whether processes run."""
    probe_s: float = 5.0
    """Between two questions about liveness."""
    probe_timeout_s: float = 10.0
    faults_in_a_row: int = 3
    """Probes that must fail before a process counts as hung; one may only be late."""
    max_restarts: int = 5
    """Restarts of one service within ``window_s``; then it is left as it is."""
    window_s: float = 600.0


class Supervisor:
    """Looks after one stack. ``report`` gets a line for everything that it does."""

    def __init__(
        self,
        config: StackConfig,
        report: Callable[[str], None],
        limits: SupervisorConfig | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self._report, self._now = config, report, now
        self._limits = limits or SupervisorConfig()
        self._faults: defaultdict[str, int] = defaultdict(int)
        self._restarts: defaultdict[str, list[float]] = defaultdict(list)
        self._starting: dict[str, float] = {}
        """Until when each restarted process may take to answer for the first time."""
        self._next_probe = 0.0
        self.given_up: dict[str, str] = {}
        """Services that were restarted too often, and what was wrong at last."""

    def watch(self, stop: threading.Event) -> None:
        """Look until ``stop``, or until the stack is gone."""
        while not stop.wait(self._limits.poll_s) and self.look():
            pass

    def look(self) -> bool:
        """One round; False when there is no stack any more."""
        state = read_state(self._config.home)
        if state is None:
            return False
        probe = self._now() >= self._next_probe
        for process in state.processes:
            if process.name in self.given_up:
                continue
            if not is_alive(process.id):
                self._restart(process, "ended")
            elif probe and self._hangs(process):
                self._restart(process, "hung")
        if probe:
            self._next_probe = self._now() + self._limits.probe_s
        return True

    def _hangs(self, process: ProcessState) -> bool:
        health = health_of(process.address, self._limits.probe_timeout_s, LIVENESS)
        if health == SERVING:
            self._faults[process.name] = 0
            self._starting.pop(process.name, None)
            return False
        if health == NO_ANSWER and self._now() < self._starting.get(process.name, 0.0):
            return False
        self._faults[process.name] += 1
        return self._faults[process.name] >= self._limits.faults_in_a_row

    def _restart(self, process: ProcessState, what: str) -> None:
        now, name, limits = self._now(), process.name, self._limits
        recent = [at for at in self._restarts[name] if now - at < limits.window_s]
        if len(recent) >= limits.max_restarts:
            self.given_up[name] = what
            self._say(
                f"{name} {what} after {len(recent)} restarts within {limits.window_s / 60:g} "
                f"minutes; it is left as it is (log: {process.log})"
            )
            return
        self._restarts[name] = [*recent, now]
        self._faults[name] = 0
        self._starting[name] = now + self._config.start_timeout_s
        stop_processes([process], self._config.grace_s)
        state = read_state(self._config.home)
        if state is None:
            return
        addresses = {p.name: p.address for p in state.processes if p.name in MODEL_SERVICES}
        given = {} if name in MODEL_SERVICES else addresses
        made = start_process(self._config, name, given, same_addresses(state, process))
        made = replace(made, address=process.address)
        processes = tuple(made if p.name == name else p for p in state.processes)
        write_state(self._config.home, replace(state, processes=processes))
        self._say(f"{name} {what} and was restarted (log: {process.log})")

    def _say(self, line: str) -> None:
        self._report(line)
        state = read_state(self._config.home)
        if state is not None:
            noted = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}"
            restarts = (*state.restarts, noted)[-SHOWN:]
            write_state(self._config.home, replace(state, restarts=restarts))


def start_supervisor(config: StackConfig) -> StackState:
    """Leave a supervisor running for the stack in ``config.home``; ``omnireel down`` ends it."""
    with locked(config.home):
        state = read_state(config.home)
        assert state is not None, "a stack is supervised once it runs"
        path, log = config.home / "run" / "config.json", config.log_file(NAME)
        save_config(config, path)
        command = (sys.executable, "-m", "services.common.stack.supervisor", str(path))
        made = spawn(command, os.environ, log)
        process = ProcessState(NAME, made.pid, made.start_ticks, address="", log=str(log))
        state = replace(state, supervisor=process)
        write_state(config.home, state)
        return state


def main(path: Path) -> None:
    """Supervise until SIGTERM, or until the stack is gone."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def report(line: str) -> None:
        print(time.strftime("%Y-%m-%d %H:%M:%S"), line, flush=True)

    Supervisor(load_config(path), report).watch(stop)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
