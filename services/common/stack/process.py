"""Processes of this machine, told apart by number and start time, since numbers are used again."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from omnireel.errors import FailedPrecondition, NotFound

PROC = Path("/proc")


@dataclass(frozen=True)
class ProcessId:
    """One process for good: ``start_ticks`` is when it began, in clock ticks since boot."""

    pid: int
    start_ticks: int


def spawn(command: tuple[str, ...], environment: Mapping[str, str], log: Path) -> ProcessId:
    """Start ``command`` in a session of its own, with its output appended to ``log``.

    It outlives this process. Raises :class:`NotFound` when there is no such program.
    """
    if not PROC.joinpath("self/stat").exists():
        raise FailedPrecondition(
            "the embedded stack needs Linux (/proc is missing); start the services one by one with "
            "`python -m services.<name>.main`"
        )
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    try:
        pid = os.posix_spawnp(
            command[0],
            command,
            dict(environment),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
    except FileNotFoundError as error:
        raise NotFound(f"there is no program {command[0]!r} to start") from error
    stat = _stat(pid)
    return ProcessId(pid, stat[1] if stat else 0)


def is_alive(process: ProcessId) -> bool:
    """Whether exactly this process still runs."""
    _reap(process.pid)
    stat = _stat(process.pid)
    return stat is not None and stat[0] not in "ZX" and stat[1] == process.start_ticks


def send(process: ProcessId, number: signal.Signals) -> None:
    """Signal the process, if it is still the one we mean."""
    if is_alive(process):
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            return


def memory_bytes(process: ProcessId) -> int:
    """Resident memory; 0 when it is gone."""
    try:
        text = PROC.joinpath(str(process.pid), "statm").read_text()
    except OSError:
        return 0
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _reap(pid: int) -> None:
    """Collect a child that ended; processes of an earlier ``up`` are nobody's children here."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def _stat(pid: int) -> tuple[str, int] | None:
    """State letter and start time (fields 3 and 22 of proc(5))."""
    try:
        text = PROC.joinpath(str(pid), "stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    return fields[0], int(fields[19])
