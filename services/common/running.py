"""The calls that a model server works on now, so that they can be told to hand their work over."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from services.common.cancellation import Cancellation


class RunningCalls:
    """Thread-safe; several attempts at one job are told apart by their fencing token."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: dict[tuple[str, int], Cancellation] = {}

    @contextmanager
    def known_as(self, job_id: str, token: int, cancellation: Cancellation) -> Iterator[None]:
        """While inside, :meth:`preempt` reaches ``cancellation``."""
        key = (job_id, token)
        with self._lock:
            self._calls[key] = cancellation
        try:
            yield
        finally:
            with self._lock:
                if self._calls.get(key) is cancellation:
                    del self._calls[key]

    def preempt(self, job_id: str, token: int) -> bool:
        """Let one attempt stop after its present step and keep its state; False: it is not here."""
        with self._lock:
            cancellation = self._calls.get((job_id, token))
        if cancellation is None:
            return False
        cancellation.preempt()
        return True

    def preempt_all(self) -> None:
        """Let every call do so: this process ends."""
        with self._lock:
            calls = list(self._calls.values())
        for cancellation in calls:
            cancellation.preempt()
