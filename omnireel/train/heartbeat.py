"""Signs of life of a training process, and its end when they stop.

Every time something got done the process notes what, at which step, and how long the next thing may
take. Two watch that:

- the process itself: a timer that needs neither Python nor the interpreter's lock prints the stacks
  of all threads and exits, so that whoever started the ranks (torchrun, Kubernetes) sees a failure
  and restarts them;
- the supervisor of ``omnireel train --ranks``, which also sees processes that are stopped, and can
  tell which rank the others were waiting for.

How long something may take is ``hang_s`` of the configuration, or five times the longest that the
same phase took in its last 50 steps if that is more. Twenty times ``hang_s`` is allowed the first
time that a phase comes, when kernels are compiled and connections are made, and always for a start
and for a checkpoint, which may move many gigabytes. The first step does not count towards the
longest. A validation beats whenever a network has answered (:mod:`omnireel.train.validating`).
"""

from __future__ import annotations

import faulthandler
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

from omnireel.errors import FailedPrecondition

_ALWAYS_SLOW = frozenset({"start", "checkpoint"})
_PATIENT = 20.0
_LONGEST_TIMES = 5.0
_WINDOW = 50
"""Steps of a phase whose longest time counts; one slow step is forgotten after so many."""
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


@dataclass(eq=False)
class _Phase:
    """How long one kind of work took, by step."""

    first_step: int
    longest_s: dict[int, float] = field(default_factory=dict)

    def took(self, step: int, seconds: float, *, counts_first: bool) -> None:
        if step == self.first_step and not counts_first:
            return
        self.longest_s[step] = max(seconds, self.longest_s.get(step, 0.0))
        if len(self.longest_s) > _WINDOW:
            del self.longest_s[next(iter(self.longest_s))]


class Heartbeat:
    """Called with (phase, step) by the trainer."""

    def __init__(self, hang_s: float, file: Path | None = None) -> None:
        """``hang_s``: seconds that a step may take. ``file``: where a supervisor looks."""
        self._hang_s = hang_s
        self._parent = os.getppid()
        self._descriptor = -1
        self._last: Beat | None = None
        self._phases: dict[str, _Phase] = {}
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        faulthandler.register(SHOW_STACKS, all_threads=True)
        self("start", 0)

    def __call__(self, phase: str, step: int) -> None:
        """Something got done; ``phase`` is what comes next or goes on."""
        if os.getppid() != self._parent:
            raise FailedPrecondition(
                "the parent process of this rank has exited", reason="ORPHANED"
            )
        now = time.monotonic()
        if self._last is not None:
            # Nothing is compiled for a validation, so its first time says how long it takes.
            self._phases[self._last.phase].took(
                self._last.step,
                now - self._last.at,
                counts_first=self._last.phase == "validation",
            )
        within = self._limit_s(phase, step)
        self._last = Beat(phase, step, now, within)
        # A margin, so that a supervisor gets to say more than a stack trace does.
        faulthandler.dump_traceback_later(within + 10.0, exit=True)
        if self._descriptor >= 0:
            line = f"{phase} {step} {now:.3f} {within:.3f}"
            os.pwrite(self._descriptor, f"{line:<80}\n".encode(), 0)

    def _limit_s(self, phase: str, step: int) -> float:
        known = self._phases.setdefault(phase, _Phase(step))
        patient = phase in _ALWAYS_SLOW or step == known.first_step
        longest = max(known.longest_s.values(), default=0.0)
        return max(self._hang_s * (_PATIENT if patient else 1.0), _LONGEST_TIMES * longest)

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
