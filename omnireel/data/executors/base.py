"""Stages, tasks, and what comes out of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

Beat = Callable[[], None]
"""Says that the work goes on."""
Function = Callable[[Any, Beat], bytes]


@dataclass(frozen=True)
class Stage:
    """One kind of work. ``make`` is picklable and is called once in every worker."""

    name: str
    make: Callable[[], Function]
    gpus: float = 0.0
    """Share of a GPU that each worker is given where the executor has some."""
    memory_bytes: int = 4 << 30
    """Of address space; a task that wants more is recorded as lost. GPU stages are not bounded."""
    stall_s: float = 180.0
    """A worker that shows no sign of life for so long is ended, and its task is lost."""


@dataclass(frozen=True)
class Task:
    """A picklable value by key."""

    key: str
    value: Any


@dataclass(frozen=True)
class Done:
    """The result of a task, and how long it took."""

    key: str
    result: bytes
    seconds: float


@dataclass(frozen=True)
class Lost:
    """A task that killed its worker, or that the stage could not do."""

    key: str
    reason: str


class Executor(Protocol):
    """Runs all tasks of a stage; results come in any order."""

    def run(self, stage: Stage, tasks: Iterable[Task]) -> Iterator[Done | Lost]:
        """Every task once.

        Raises:
            NotFound, Unavailable, ResourceExhausted, FailedPrecondition: what is wrong is not the
                task's fault; nothing is recorded about it.

        """
