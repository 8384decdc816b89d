"""One reader for everybody who watches: a watcher costs a queue, never a query of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from omnireel.errors import ResourceExhausted
from services.common.jobs import Job, JobState, JobStore, News
from services.common.logs import get_logger
from services.gateway.forecast import FRESH_S, Expected, Forecast

log = get_logger(__name__)

FULL_RETRY_S = 5.0

Deliver = Callable[[News | Expected | None], None]
"""Takes news of a job, or when a waiting one is expected, from the hub's thread and without
waiting; None: the hub stops."""


@dataclass
class _Watched:
    seen: int
    queued: bool
    expected: Expected | None = None
    watchers: dict[object, Deliver] = field(default_factory=dict)


class WatchHub:
    """A thread that reads the news of all watched jobs and hands them round."""

    def __init__(
        self, jobs: JobStore, forecast: Forecast, *, poll_s: float, max_watchers: int
    ) -> None:
        self._jobs = jobs
        self._forecast = forecast
        self._next_forecast = 0.0
        self._poll_s = poll_s
        self._max_watchers = max_watchers
        self._lock = threading.Lock()
        self._watched: dict[str, _Watched] = {}
        self._count = 0
        self._turned_at = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="watch-hub", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Tell every watcher, and read no more."""
        self._stop.set()
        if self._thread.ident is not None:  # it was started
            self._thread.join()
        with self._lock:
            everybody = [
                deliver for job in self._watched.values() for deliver in job.watchers.values()
            ]
        for deliver in everybody:
            deliver(None)

    @property
    def silent_s(self) -> float:
        """Seconds since the hub began its last turn."""
        return time.monotonic() - self._turned_at

    @property
    def count(self) -> int:
        """Watchers now."""
        return self._count

    @contextmanager
    def watching(self, job: Job, deliver: Deliver) -> Iterator[None]:
        """Inside, ``deliver`` gets every event of the job that is written from now on.

        ``job`` was read before: what was written between then and now may come or not, so the
        caller reads it by itself.

        Raises:
            ResourceExhausted: ``max_watchers`` watch already.
        """
        key = object()
        said = self._forecast.waiting([job.id]).get(job.id)
        with self._lock:
            if self._count >= self._max_watchers:
                raise ResourceExhausted(
                    f"watcher limit ({self._max_watchers}) reached; poll GetVideo, or watch again "
                    "later",
                    retry_after_s=FULL_RETRY_S,
                )
            self._count += 1
            new = _Watched(job.event_sequence, job.state is JobState.QUEUED, said)
            self._watched.setdefault(job.id, new).watchers[key] = deliver
        if self._stop.is_set():
            deliver(None)
        try:
            yield
        finally:
            with self._lock:
                self._count -= 1
                watched = self._watched[job.id]
                del watched.watchers[key]
                if not watched.watchers:
                    del self._watched[job.id]

    def turn(self) -> None:
        """Read once, and hand the news round."""
        with self._lock:
            seen = {job_id: watched.seen for job_id, watched in self._watched.items()}
        if not seen:
            return
        for job_id, news in self._jobs.news_of(seen).items():
            with self._lock:
                watched = self._watched.get(job_id)
                if watched is None or watched.seen != seen[job_id]:
                    continue  # everybody left meanwhile, and perhaps somebody new came
                if news.events:
                    watched.seen = news.events[-1].sequence
                    watched.queued = news.events[-1].state is JobState.QUEUED
                receivers = list(watched.watchers.values())
            for deliver in receivers:
                deliver(news)
        if time.monotonic() >= self._next_forecast:
            self._next_forecast = time.monotonic() + FRESH_S
            self._tell_who_waits()

    def _tell_who_waits(self) -> None:
        """Places in the queue change without an event of the job itself."""
        with self._lock:
            queued = [job_id for job_id, watched in self._watched.items() if watched.queued]
        if not queued:
            return
        for job_id, expected in self._forecast.waiting(queued).items():
            with self._lock:
                watched = self._watched.get(job_id)
                if watched is None or not watched.queued or _alike(expected, watched.expected):
                    continue
                watched.expected = expected
                receivers = list(watched.watchers.values())
            for deliver in receivers:
                deliver(expected)

    def _loop(self) -> None:
        changes = self._jobs.changes()
        while changes.wait(self._poll_s, self._stop):
            self._turned_at = time.monotonic()
            try:
                self.turn()
            except Exception as error:
                log.error("cannot read the news of watched jobs; trying again", exc_info=error)
                self._stop.wait(1.0)
        changes.close()


def _alike(one: Expected, other: Expected | None) -> bool:
    """Whether nothing changed but the time that passed."""
    if other is None or one.position != other.position:
        return False
    return (one.eta_s is None) == (other.eta_s is None)
