"""One job at a time per device, with a short, bounded line in front of it."""

from __future__ import annotations

import gc
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from omnireel.errors import Cancelled, ResourceExhausted

OUT_OF_MEMORY = "OUT_OF_MEMORY"
"""The reason of a job that does not fit; it would not fit a second time either."""

_POLL_S = 0.05
_SMOOTHING = 0.3


class DeviceGate:
    """First come, first served; ``max_waiting`` may stand in line, each ``max_wait_s`` at most.

    Fairness between tenants is the dispatcher's business, which publishes only what free slots
    can take; this line only smooths the hand-over.
    """

    def __init__(self, *, max_waiting: int, max_wait_s: float) -> None:
        self._max_waiting = max_waiting
        self._max_wait_s = max_wait_s
        self._changed = threading.Condition()
        self._line: deque[object] = deque()
        self._mean_hold_s = 1.0
        self._signed_at: float | None = None

    @contextmanager
    def hold(self, cancelled: Callable[[], bool]) -> Iterator[Callable[[], bool]]:
        """Have the device for the block.

        Gives back the ``cancelled`` for the work inside: a look at it between two steps is also
        the work's sign of life.

        Raises:
            ResourceExhausted: the line is full or moved too slowly; carries when to retry.
            Cancelled: ``cancelled()`` turned true while waiting.
        """
        ticket = object()
        with self._changed:
            if len(self._line) > self._max_waiting:
                raise self._busy()
            self._line.append(ticket)
        try:
            self._wait_for_turn(ticket, cancelled)
            begun = self._signed_at = time.monotonic()

            def look() -> bool:
                self._signed_at = time.monotonic()
                return cancelled()

            yield look
            held_s = time.monotonic() - begun
            self._mean_hold_s += _SMOOTHING * (held_s - self._mean_hold_s)
        finally:
            with self._changed:
                if self._line[0] is ticket:
                    self._signed_at = None
                self._line.remove(ticket)
                self._changed.notify_all()

    @property
    def occupied(self) -> int:
        """Jobs that have the device (0 or 1) plus those in line."""
        with self._changed:
            return len(self._line)

    @property
    def silent_s(self) -> float:
        """Seconds since the last sign of life of the job that has the device; 0 when none has."""
        signed_at = self._signed_at
        return 0.0 if signed_at is None else time.monotonic() - signed_at

    def _wait_for_turn(self, ticket: object, cancelled: Callable[[], bool]) -> None:
        give_up_at = time.monotonic() + self._max_wait_s
        with self._changed:
            while self._line[0] is not ticket:
                if cancelled():
                    raise Cancelled("the work was cancelled while it waited for the device")
                if time.monotonic() >= give_up_at:
                    raise self._busy()
                self._changed.wait(_POLL_S)

    def _busy(self) -> ResourceExhausted:
        return ResourceExhausted(
            f"the device is busy and {len(self._line)} jobs hold or await it; retry later",
            retry_after_s=max(0.1, self._mean_hold_s * len(self._line)),
        )


@contextmanager
def memory_errors_fail_one_job(field: str) -> Iterator[None]:
    """Turn running out of memory into :class:`ResourceExhausted` and give the memory back.

    ``field`` names what the caller should make smaller. The server lives on: whatever the job
    had allocated is dropped with its frames.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        # The frames in the traceback hold the job's tensors, and the traceback lives on.
        traceback.clear_frames(error.__traceback__)
        _give_cached_memory_back()
        raise ResourceExhausted(
            f"the job does not fit into the device's memory; make {field} smaller",
            reason=OUT_OF_MEMORY,
        ) from error


def _give_cached_memory_back() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _is_out_of_memory(error: Exception) -> bool:
    # torch.OutOfMemoryError is a RuntimeError; torch's CPU allocator raises a plain one.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return "allocate memory" in str(error)
