"""One job at a time per device, or a few alike, with a short, bounded line in front of it."""

from __future__ import annotations

import gc
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from omnireel.errors import Cancelled, ResourceExhausted

OUT_OF_MEMORY = "OUT_OF_MEMORY"
"""The reason of a job that does not fit; it would not fit a second time either."""

_POLL_S = 0.05
_SMOOTHING = 0.3


class DeviceGate:
    """First come, first served; ``max_waiting`` may stand in line, each ``max_wait_s`` at most.

    Jobs of one kind may have the device together, as many as they say.

    Fairness between tenants is the dispatcher's business, which publishes only what free slots
    can take; this line only smooths the hand-over.
    """

    def __init__(self, *, max_waiting: int, max_wait_s: float) -> None:
        self._max_waiting = max_waiting
        self._max_wait_s = max_wait_s
        self._changed = threading.Condition()
        self._line: deque[_Ticket] = deque()
        self._inside: dict[_Ticket, float] = {}
        """Who has the device, and when each gave the last sign of life."""
        self._mean_hold_s = 1.0

    @contextmanager
    def hold(
        self, cancelled: Callable[[], bool], *, kind: Hashable = None, places: int = 1
    ) -> Iterator[Callable[[], bool]]:
        """Have the device for the block, together with up to ``places - 1`` jobs of this ``kind``.

        Gives back the ``cancelled`` for the work inside: a look at it between two steps is also
        the work's sign of life.

        Raises:
            ResourceExhausted: the line is full or moved too slowly; carries when to retry.
            Cancelled: ``cancelled()`` turned true while waiting.
        """
        ticket = _Ticket(kind, places)
        with self._changed:
            self._line.append(ticket)
            if not self._may_enter(ticket) and len(self._line) > self._max_waiting:
                self._line.remove(ticket)
                raise self._busy()
        try:
            self._wait_for_turn(ticket, cancelled)
            begun = self._inside[ticket]

            def look() -> bool:
                self._inside[ticket] = time.monotonic()
                return cancelled()

            yield look
            held_s = time.monotonic() - begun
            self._mean_hold_s += _SMOOTHING * (held_s - self._mean_hold_s)
        finally:
            with self._changed:
                if self._inside.pop(ticket, None) is None:
                    self._line.remove(ticket)
                self._changed.notify_all()

    @property
    def occupied(self) -> int:
        """Jobs that have the device plus those in line."""
        with self._changed:
            return len(self._inside) + len(self._line)

    @property
    def silent_s(self) -> float:
        """Seconds since the last sign of life of a job that has the device; 0 when none has."""
        with self._changed:
            signs = list(self._inside.values())
        return time.monotonic() - min(signs) if signs else 0.0

    def _may_enter(self, ticket: _Ticket) -> bool:
        """Nobody stands before it, and those inside are of its kind and leave it a place."""
        alike = all(inside.kind == ticket.kind for inside in self._inside)
        room = not self._inside or (alike and len(self._inside) < ticket.places)
        return self._line[0] is ticket and room

    def _wait_for_turn(self, ticket: _Ticket, cancelled: Callable[[], bool]) -> None:
        give_up_at = time.monotonic() + self._max_wait_s
        with self._changed:
            while not self._may_enter(ticket):
                if cancelled():
                    raise Cancelled("the work was cancelled while it waited for the device")
                if time.monotonic() >= give_up_at:
                    raise self._busy()
                self._changed.wait(_POLL_S)
            self._line.popleft()
            self._inside[ticket] = time.monotonic()
            self._changed.notify_all()  # the next may be of the same kind

    def _busy(self) -> ResourceExhausted:
        jobs = len(self._inside) + len(self._line)
        return ResourceExhausted(
            f"the device is busy and {jobs} jobs hold or await it; retry later",
            retry_after_s=max(0.1, self._mean_hold_s * jobs),
        )


@dataclass(frozen=True, eq=False)
class _Ticket:
    kind: Hashable
    places: int


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
