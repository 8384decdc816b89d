"""Stops a stack: first those that take work, then those that do it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Collection
from pathlib import Path

from services.common.stack.config import MODEL_SERVICES
from services.common.stack.process import is_alive, send
from services.common.stack.state import ProcessState, locked, read_state, state_file

POLL_S = 0.05


def stop_stack(home: Path, report: Callable[[str], None], grace_s: float = 15.0) -> bool:
    """Stop the stack in ``home``; False when none runs. Jobs that run are handed back first."""
    if not state_file(home).exists():
        return False
    with locked(home):
        state = read_state(home)
        if state is None:
            return False
        if state.supervisor is not None:
            stop_processes([state.supervisor], grace_s)  # first, or it would start them again
            state = read_state(home) or state
        alive = bool(state.alive)
        for name, killed in stop_processes(state.processes, grace_s):
            report(f"{name:<16} {'killed: it did not stop in time' if killed else 'stopped'}")
        state_file(home).unlink(missing_ok=True)
        return alive


def stop_processes(
    processes: Collection[ProcessState], grace_s: float
) -> tuple[tuple[str, bool], ...]:
    """SIGTERM, then SIGKILL after ``grace_s`` seconds; (name, was killed) of each that ran."""
    models = [process for process in processes if process.name in MODEL_SERVICES]
    others = [process for process in processes if process.name not in MODEL_SERVICES]
    return (*_stop_together(others, grace_s), *_stop_together(models, grace_s))


def _stop_together(
    processes: Collection[ProcessState], grace_s: float
) -> tuple[tuple[str, bool], ...]:
    running = [process for process in processes if is_alive(process.id)]
    for process in running:
        send(process.id, signal.SIGTERM)
    waiting = _wait(running, grace_s)
    for process in waiting:
        send(process.id, signal.SIGKILL)
    _wait(waiting, grace_s)
    return tuple((process.name, process in waiting) for process in running)


def _wait(processes: Collection[ProcessState], timeout_s: float) -> list[ProcessState]:
    until = time.monotonic() + timeout_s
    alive = list(processes)
    while alive := [process for process in alive if is_alive(process.id)]:
        if time.monotonic() >= until:
            break
        time.sleep(POLL_S)
    return alive
