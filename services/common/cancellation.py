"""From the end of a call to a flag that an engine looks at between two denoising steps."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from omnireel.errors import Cancelled, DeadlineExceeded, Unavailable


class Preempted(Unavailable):
    """The work was stopped so that somebody else goes on with it."""

    reason = "PREEMPTED"


class Cancellation:
    """Set once: the caller went away or cancelled, the deadline passed, or the server stops.

    Or the work is to be handed over: it stops as well, and what it has so far is kept.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._preempted = threading.Event()
        self._deadline: float | None = None

    @classmethod
    def of_call(cls, context: Any, *, deadline_unix_s: float | None = None) -> Cancellation:
        """A flag that follows a ``grpc.ServicerContext``.

        ``deadline_unix_s`` is a deadline from the request itself, in seconds of the epoch; the
        earlier one of it and the call's own counts.
        """
        cancellation = cls()
        remaining = [
            seconds
            for seconds in (
                context.time_remaining(),
                None if deadline_unix_s is None else deadline_unix_s - time.time(),
            )
            if seconds is not None
        ]
        if remaining:
            cancellation._deadline = time.monotonic() + min(remaining)
        if not context.add_callback(cancellation.set):
            cancellation.set()
        return cancellation

    def set(self) -> None:
        """Ask the work to stop at its next look."""
        self._event.set()

    def preempt(self) -> None:
        """Ask the work to stop at its next look and to leave its state to whoever goes on."""
        self._preempted.set()

    @property
    def handed_over(self) -> bool:
        """Whether the work stops only to be taken up again: its state is wanted."""
        wanted = not (self._event.is_set() or self._deadline_passed())
        return self._preempted.is_set() and wanted

    def __call__(self) -> bool:
        """Whether to stop; this is the ``cancelled`` that engines are given."""
        return self._event.is_set() or self._preempted.is_set() or self._deadline_passed()

    def error(self) -> Cancelled | DeadlineExceeded | Preempted:
        """What to raise for work that stopped because of this flag."""
        if self.handed_over:
            return Preempted("the work is handed over; it goes on where it stopped")
        if self._deadline_passed():
            return DeadlineExceeded("the deadline passed before the work was done; allow more time")
        return Cancelled("the work was cancelled")

    def raise_if_set(self) -> None:
        """Stop here if asked to."""
        if self():
            raise self.error()

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Let a :class:`Cancelled` out of the block say why: a passed deadline is none."""
        try:
            yield
        except Cancelled as error:
            if self():
                raise self.error() from error
            raise

    def _deadline_passed(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline
