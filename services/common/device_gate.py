"""One job at a time per device, or a few alike, with a short, bounded line in front of it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from omnireel.errors import Cancelled, ResourceExhausted, Unavailable
from services.common.device_errors import DEVICE_BROKEN, device_works
from services.common.logs import get_logger
from services.common.pulse import Patience, Pulse

log = get_logger(__name__)

_POLL_S = 0.05
_SMOOTHING = 0.3


class DeviceGate:
    """First come, first served; ``max_waiting`` may stand in line, each ``max_wait_s`` at most.

    Jobs of one kind may have the device together, as many as they say.

    Fairness between tenants is the dispatcher's business, which publishes only what free slots
    can take; this line only smooths the hand-over.

    A device that an error left unusable (:func:`~services.common.device_errors.device_works`) lets
    nobody in any more: only a new process can use it again.
    """

    def __init__(
        self,
        *,
        max_waiting: int,
        max_wait_s: float,
        patience: Patience | None = None,
        works: Callable[[], bool] = device_works,
    ) -> None:
        self._max_waiting = max_waiting
        self._max_wait_s = max_wait_s
        self._patience = patience or Patience()
        self._works = works
        self._changed = threading.Condition()
        self._line: deque[_Ticket] = deque()
        self._inside: dict[_Ticket, Pulse] = {}
        self._mean_hold_s = 1.0
        self._broken = False
        self._when_broken: Callable[[], None] = lambda: None

    @contextmanager
    def hold(
        self, cancelled: Callable[[], bool], *, kind: Hashable = None, places: int = 1
    ) -> Iterator[Pulse]:
        """Have the device for the block, together with up to ``places - 1`` jobs of this ``kind``.

        Gives back the ``cancelled`` for the work inside: a look at it between two steps is also
        the work's sign of life.

        Raises:
            ResourceExhausted: the line is full or moved too slowly; carries when to retry.
            Cancelled: ``cancelled()`` turned true while waiting.
            Unavailable: the device is broken, or broke during the block (``DEVICE_BROKEN``).
        """
        ticket = _Ticket(kind, places)
        with self._changed:
            self._refuse_if_broken()
            self._line.append(ticket)
            if not self._may_enter(ticket) and len(self._line) > self._max_waiting:
                self._line.remove(ticket)
                raise self._busy()
        try:
            pulse = self._wait_for_turn(ticket, cancelled)
            begun = time.monotonic()
            yield pulse
            held_s = time.monotonic() - begun
            self._mean_hold_s += _SMOOTHING * (held_s - self._mean_hold_s)
        except RuntimeError as error:
            # Every error of torch is one. Most are of this job alone; some leave the device
            # unusable for all that follow.
            if self._broken or not self._works():
                self._break(error)
                raise _broken() from error
            raise
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
            return max((pulse.silent_s for pulse in self._inside.values()), default=0.0)

    @property
    def alive(self) -> bool:
        """False when the device is broken, or a job that has it hangs."""
        with self._changed:
            return not self._broken and not any(pulse.hung for pulse in self._inside.values())

    def when_broken(self, call: Callable[[], None]) -> None:
        """Let ``call`` be called, once, as soon as the device turns out to be broken."""
        self._when_broken = call

    def _break(self, error: Exception) -> None:
        with self._changed:
            before, self._broken = self._broken, True
            self._changed.notify_all()
        if not before:
            log.error("the device is broken until this process restarts", exc_info=error)
            self._when_broken()

    def _refuse_if_broken(self) -> None:
        if self._broken:
            raise _broken()

    def _may_enter(self, ticket: _Ticket) -> bool:
        """Nobody stands before it, and those inside are of its kind and leave it a place."""
        alike = all(inside.kind == ticket.kind for inside in self._inside)
        room = not self._inside or (alike and len(self._inside) < ticket.places)
        return self._line[0] is ticket and room

    def _wait_for_turn(self, ticket: _Ticket, cancelled: Callable[[], bool]) -> Pulse:
        give_up_at = time.monotonic() + self._max_wait_s
        with self._changed:
            while not self._may_enter(ticket):
                self._refuse_if_broken()
                if cancelled():
                    raise Cancelled("the work was cancelled while it waited for the device")
                if time.monotonic() >= give_up_at:
                    raise self._busy()
                self._changed.wait(_POLL_S)
            self._refuse_if_broken()
            self._line.popleft()
            pulse = self._inside[ticket] = Pulse(cancelled, self._patience)
            self._changed.notify_all()  # the next may be of the same kind
            return pulse

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


def _broken() -> Unavailable:
    error = Unavailable(
        "the model's device failed and needs a restart of its service; the job is tried again",
        retry_after_s=5.0,
    )
    error.reason = DEVICE_BROKEN
    return error
