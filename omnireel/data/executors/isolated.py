"""One child process that does one task after another; its death costs one task.

Decoders are native code and media are hostile. In the child, memory is bounded by the kernel; the
parent ends a child that shows no sign of life. A child whose parent dies ends by itself.
"""

from __future__ import annotations

import contextlib
import faulthandler
import multiprocessing
import os
import pickle
import resource
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

from omnireel.data.executors.base import Done, Lost, Stage, Task
from omnireel.errors import FailedPrecondition, NotFound, ResourceExhausted, Unavailable

_NOT_THE_TASK = (NotFound, Unavailable, ResourceExhausted, FailedPrecondition)
_BEAT_S = 1.0
_ALIVE = "alive"


class Isolated:
    """A worker. `start` a task, wait for `connection`, then `take` what there is."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None
        self._task: Task | None = None
        self._seen: float | None = None
        """When it last showed that it lives; None: it is still loading."""

    @property
    def busy(self) -> bool:
        """Whether a task is going on."""
        return self._task is not None

    @property
    def connection(self) -> Connection:
        """Ready to read when there is news."""
        assert self._connection is not None
        return self._connection

    def start(self, task: Task) -> None:
        """Give it a task; the process is started if there is none."""
        if self._process is None:
            self._start_process()
        else:
            self._seen = time.monotonic()
        self._task = task
        with contextlib.suppress(BrokenPipeError):  # its death shows when the news are taken
            self.connection.send(task)

    def take(self) -> Done | Lost | None:
        """News: a result, a loss, or None when it only said that it lives (or said nothing)."""
        assert self._task is not None
        try:
            if not self.connection.poll():
                stalled = self._seen and time.monotonic() - self._seen > self._stage.stall_s
                return self._lose("showed no sign of life") if stalled else None
            message = self.connection.recv()
        except (EOFError, ConnectionResetError):
            return self._lose("")
        self._seen = time.monotonic()
        if message == _ALIVE:
            return None
        if isinstance(message, BaseException):
            self.stop()
            raise message
        self._task = None
        assert isinstance(message, Done | Lost)
        return message

    def do(self, task: Task) -> Done | Lost:
        """One task from start to end."""
        self.start(task)
        while (news := self.take()) is None:
            self.connection.poll(_BEAT_S)
        return news

    def stop(self) -> None:
        """End the process, whatever it does."""
        process, self._process = self._process, None
        self._seen = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._task = None
        if process is not None:
            process.kill()
            process.join()

    def _start_process(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            # Unpickled, and numpy with it loaded, only after the child has set its environment.
            target=_serve,
            args=(theirs, pickle.dumps(self._stage)),
            name=f"omnireel-{self._stage.name}",
        )
        self._process.start()
        theirs.close()

    def _lose(self, why: str) -> Lost:
        assert self._task is not None
        assert self._process is not None
        key = self._task.key
        if not why:
            self._process.join(5)
            why = _death(self._process.exitcode)
        self.stop()
        return Lost(key, f"its worker {why}")


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with status {code}"


def _serve(connection: Connection, pickled: bytes) -> None:
    """The child's life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    faulthandler.disable()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    stage: Stage = pickle.loads(pickled)
    if not stage.gpus:
        resource.setrlimit(resource.RLIMIT_AS, (stage.memory_bytes, stage.memory_bytes))
    beat = _beat(connection)
    try:
        function = stage.make()
    except Exception as error:  # noqa: BLE001 - raised again in the parent
        connection.send(error)
        return
    connection.send(_ALIVE)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            task: Task = connection.recv()
            started = time.perf_counter()
            answer: Done | Lost | BaseException
            try:
                result = function(task.value, beat)
                answer = Done(task.key, result, time.perf_counter() - started)
            except _NOT_THE_TASK as error:
                answer = error
            except MemoryError:
                answer = Lost(task.key, f"it needs more than {stage.memory_bytes >> 20} MiB")
            except Exception as error:  # noqa: BLE001 - one task's failure is its record
                answer = Lost(task.key, f"{type(error).__name__}: {' '.join(str(error).split())}")
            connection.send(answer)


def _beat(connection: Connection) -> Callable[[], None]:
    said = {"at": time.monotonic()}

    def beat() -> None:
        now = time.monotonic()
        if now - said["at"] >= _BEAT_S:
            said["at"] = now
            connection.send(_ALIVE)

    return beat
