"""Programs that go on running, known by process id and start time, so that no stranger is ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


class NotStarted(RuntimeError):
    """A program ended, or did not get ready; the message has the end of its log."""


@dataclass(frozen=True)
class Daemon:
    """One program that was started."""

    name: str
    pid: int
    started: int
    """In clock ticks since the machine's start, which no other process of this id shares."""
    log: Path

    def running(self) -> bool:
        """Whether it still is this process, and no zombie."""
        return _started(self.pid) == self.started


class Daemons:
    """Starts and stops programs; what runs is noted in ``folder``, for whoever stops it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def start(self, name: str, command: list[str], env: dict[str, str] | None = None) -> Daemon:
        """Start ``command`` in a session of its own; what it says goes to NAME.log."""
        log = self._folder / f"{name}.log"
        said = (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        pid = os.posix_spawnp(
            command[0], command, {**os.environ, **(env or {})}, setsid=True,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                said, (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
        )  # fmt: skip
        daemon = Daemon(name, pid, _started(pid) or 0, log)
        note = {"name": name, "pid": daemon.pid, "started": daemon.started, "log": str(log)}
        (self._folder / f"{name}.json").write_text(json.dumps(note), encoding="utf-8")
        return daemon

    def all(self) -> list[Daemon]:
        """What was started, the newest first."""
        found = []
        for path in self._folder.glob("*.json"):
            note = json.loads(path.read_text(encoding="utf-8"))
            found.append(Daemon(note["name"], note["pid"], note["started"], Path(note["log"])))
        return sorted(found, key=lambda daemon: -daemon.started)

    def stop(self, *names: str, patience_s: float = 15) -> None:
        """End those called ``names`` (none: all), the newest first; asked first, then killed."""
        for daemon in self.all():
            if not names or daemon.name in names:
                _end(daemon, patience_s)
                (self._folder / f"{daemon.name}.json").unlink(missing_ok=True)


def wait_until(ready: Callable[[], bool], daemon: Daemon, timeout_s: float = 60) -> None:
    """Wait until ``ready``; ``daemon`` must live meanwhile.

    Raises:
        NotStarted: it ended, or the time is over.
    """
    deadline = time.monotonic() + timeout_s
    while not ready():
        if not daemon.running():
            raise NotStarted(f"{daemon.name} ended at once:\n{_end_of(daemon.log)}")
        if time.monotonic() > deadline:
            raise NotStarted(
                f"{daemon.name} is not ready after {timeout_s:.0f} s:\n{_end_of(daemon.log)}"
            )
        time.sleep(0.1)


def _end(daemon: Daemon, patience_s: float) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if not daemon.running():
            break
        os.kill(daemon.pid, sign)
        deadline = time.monotonic() + patience_s
        while daemon.running() and time.monotonic() < deadline:
            time.sleep(0.05)
    with contextlib.suppress(ChildProcessError):  # another process, which is gone, started it
        os.waitpid(daemon.pid, os.WNOHANG)


def _started(pid: int) -> int | None:
    """When a process was started, in clock ticks; None when it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *rest = text.rpartition(")")[2].split()
    return None if state == "Z" else int(rest[18])


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])
