"""Keeps a job's lease alive beside the work, and stops the work when there is a reason to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from services.common.jobs import DatabaseAway, Heartbeat, JobStore, Lease, LeaseLost
from services.common.logs import get_logger

log = get_logger(__name__)


class StopReason(StrEnum):
    """Why the work on a job must stop before it is done."""

    CANCELLED = "cancelled"
    DEADLINE = "deadline"
    DRAINING = "draining"
    LEASE_LOST = "lease lost"


class Cancellable(Protocol):
    """An in-flight call."""

    def cancel(self) -> object:
        """End it soon."""
        ...

    def preempt(self) -> object:
        """End it soon, and let its state be kept."""
        ...


class LeaseKeeper:
    """A context: inside it the lease is renewed every ``heartbeat_s`` seconds."""

    def __init__(
        self,
        jobs: JobStore,
        lease: Lease,
        *,
        lease_s: float,
        heartbeat_s: float,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.lease = lease
        self._jobs = jobs
        self._lease_s = lease_s
        self._heartbeat_s = heartbeat_s
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        self._reason: StopReason | None = None
        self._call: Cancellable | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="lease", daemon=True)

    @property
    def reason(self) -> StopReason | None:
        """The first reason to stop, if there is one."""
        return self._reason

    def stop(self, reason: StopReason) -> None:
        """Stop the work: cancels the call that runs now, and every later one."""
        with self._lock:
            if self._reason is not None:
                return
            self._reason = reason
            call = self._call
        if call is not None:
            self._end(call)

    def abandon(self) -> None:
        """End the call that runs now, whatever becomes of its state."""
        with self._lock:
            call = self._call
        if call is not None:
            call.cancel()

    def observe(self, heartbeat: Heartbeat) -> None:
        """React to what the job's row says."""
        if heartbeat.cancel_requested:
            self.stop(StopReason.CANCELLED)
        elif heartbeat.deadline is not None and heartbeat.deadline <= self._wall_clock():
            self.stop(StopReason.DEADLINE)

    @contextmanager
    def watching(self, call: Cancellable) -> Iterator[None]:
        """While inside, :meth:`stop` cancels ``call``."""
        with self._lock:
            self._call = call
            stopped = self._reason is not None
        if stopped:
            self._end(call)
        try:
            yield
        finally:
            with self._lock:
                self._call = None

    def _end(self, call: Cancellable) -> None:
        if self._reason is StopReason.DRAINING:
            call.preempt()
        else:
            call.cancel()

    def beat(self) -> None:
        """Renew the lease once."""
        try:
            self.observe(self._jobs.renew(self.lease, self._lease_s))
        except LeaseLost:
            self.stop(StopReason.LEASE_LOST)
        except (SQLAlchemyError, DatabaseAway) as error:
            # The lease outlives a few of these; if they go on, somebody else takes the job and
            # the next successful beat says LeaseLost.
            log.warning("heartbeat failed", error=str(error))

    def __enter__(self) -> LeaseKeeper:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._ended.set()
        self._thread.join()

    def _loop(self) -> None:
        while not self._ended.wait(self._heartbeat_s):
            self.beat()
            if self._reason is StopReason.LEASE_LOST:
                return
