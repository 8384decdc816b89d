"""Signs of life of a training process, and its end when they stop.

Every time something got done the process notes what, at which step, and how long the next thing may
take. Two watch that:

- the process itself: a timer that needs neither Python nor the interpreter's lock prints the stacks
  of all threads and exits, so that whoever started the ranks (torchrun, Kubernetes) sees a failure
  and restarts them;
- the supervisor of ``omnireel train --ranks``, which also sees processes that are stopped, and can
  tell which rank the others were waiting for.

A step may take as long as the configuration says, or five times the longest step so far if that is
more; a start, a validation or a checkpoint twenty times as long.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from omnireel.errors import FailedPrecondition

_SLOW_PHASES = frozenset({"start", "validation", "checkpoint"})
_SLOWER = 20.0
_LONGEST_TIMES = 5.0
SHOW_STACKS = signal.SIGUSR1
"""A process with heartbeats prints the stacks of all its threads on this signal."""


@dataclass(frozen=True)
class Beat:
    """``phase`` of ``step`` was done at ``at`` (seconds of the machine's monotonic clock); the next
    beat comes within ``within_s``."""

    phase: str
    step: int
    at: float
    within_s: float

    def late_by(self, now: float) -> float:
        """Seconds beyond the time when the next beat was due; negative before it."""
        return now - self.at - self.within_s


class Heartbeat:
    """Called with (phase, step) by the trainer."""

    def __init__(self, hang_s: float, file: Path | None = None) -> None:
        """``hang_s``: seconds that a step may take. ``file``: where a supervisor looks."""
        self._hang_s = hang_s
        self._parent = os.getppid()
        self._descriptor = -1
        self._last: Beat | None = None
        self._longest_s = 0.0
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        faulthandler.register(SHOW_STACKS, all_threads=True)
        self("start", 0)

    def __call__(self, phase: str, step: int) -> None:
        """Something got done; ``phase`` is what comes next or goes on."""
        if os.getppid() != self._parent:
            raise FailedPrecondition("whoever started this rank is gone", reason="ORPHANED")
        now = time.monotonic()
        if self._last is not None and self._last.phase not in _SLOW_PHASES:
            self._longest_s = max(self._longest_s, now - self._last.at)
        within = max(self._hang_s, _LONGEST_TIMES * self._longest_s)
        if phase in _SLOW_PHASES:
            within *= _SLOWER
        self._last = Beat(phase, step, now, within)
        # A margin, so that a supervisor gets to say more than a stack trace does.
        faulthandler.dump_traceback_later(within + 10.0, exit=True)
        if self._descriptor >= 0:
            line = f"{phase} {step} {now:.3f} {within:.3f}"
            os.pwrite(self._descriptor, f"{line:<80}\n".encode(), 0)

    def close(self) -> None:
        """The run is over: nobody need watch any more."""
        faulthandler.cancel_dump_traceback_later()
        faulthandler.unregister(SHOW_STACKS)
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def read_beat(file: Path) -> Beat | None:
    """The last beat; ``None`` before the first."""
    try:
        phase, step, at, within = file.read_text(encoding="utf-8").split()
        return Beat(phase, int(step), float(at), float(within))
    except (OSError, ValueError):
        return None
