"""Progress of one video as a stream, read from SQL.

The events of a job are numbered without gaps, so a resume token is just the number of the last
one seen, and a watcher can go on at any replica.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from omnireel.api.v1 import video_pb2
from omnireel.errors import InvalidInput, NotFound, Unavailable
from services.common.jobs import Event, Job, JobState, JobStore, News
from services.gateway.convert import event_to_proto, progress_to_proto
from services.gateway.forecast import Expected, Forecast
from services.gateway.videos import Videos
from services.gateway.watch_hub import WatchHub


@dataclass(frozen=True)
class Watch:
    """What to watch: ``after`` is the last event seen (None: begin with the present state)."""

    caller: str
    job_id: str
    after: int | None = None
    min_interval_s: float = 0.0


class Watcher:
    """Turns the hub's news into the events of one stream."""

    def __init__(self, jobs: JobStore, videos: Videos, hub: WatchHub, forecast: Forecast) -> None:
        self._jobs = jobs
        self._videos = videos
        self._hub = hub
        self._forecast = forecast

    def watch(
        self, watch: Watch, on_leave: Callable[[Callable[[], None]], bool]
    ) -> Iterator[video_pb2.VideoProgress]:
        """Events until the final one, which carries the whole video.

        ``on_leave`` takes what to call when the watcher has gone (any thread may), and says whether
        it is still there.

        Raises:
            NotFound: there is no such video, or it was deleted meanwhile.
            ResourceExhausted: too many watch already.
            Unavailable: this replica stops; go on at another one with the resume token.
        """
        job = self._jobs.get(watch.job_id, watch.caller)
        if watch.after is None and job.state.terminal:
            yield self._present(job)
            return
        inbox: Inbox = queue.SimpleQueue()
        with self._hub.watching(job, inbox.put):
            if not on_leave(lambda: inbox.put(_LEFT)):
                return
            yield from self._events(watch, inbox)

    def wait(
        self,
        caller: str,
        job_id: str,
        timeout_s: float,
        on_leave: Callable[[Callable[[], None]], bool],
    ) -> Job:
        """The operation's job when it is done, or as it is after ``timeout_s`` seconds.

        ``on_leave`` is that of :meth:`watch`.

        Raises:
            NotFound: there is no such operation, or it was deleted meanwhile.
            ResourceExhausted: too many watch already.
            Unavailable: this replica stops; wait again at another one.
        """
        until = time.monotonic() + timeout_s
        job = self._jobs.get(job_id, caller, operation=True)
        if job.state.terminal:
            return job
        inbox: Inbox = queue.SimpleQueue()
        with self._hub.watching(job, inbox.put):
            if not on_leave(lambda: inbox.put(_LEFT)):
                return job
            # As in :meth:`_events`: read again, now that whatever comes is delivered.
            job = self._jobs.get(job_id, caller, operation=True)
            while not job.state.terminal and (left_s := until - time.monotonic()) > 0:
                try:
                    news = inbox.get(timeout=left_s)
                except queue.Empty:
                    break
                if isinstance(news, _Left):
                    break
                if news is None:
                    raise Unavailable("the gateway is shutting down; retry")
                if not isinstance(news, Expected):
                    job = self._jobs.get(job_id, caller, operation=True)
        return job

    def _events(self, watch: Watch, inbox: Inbox) -> Iterator[video_pb2.VideoProgress]:
        # Read after the hub began to deliver: what was written before now is read here, what is
        # written from now on is delivered, and what comes on both ways is known by its number.
        job = self._jobs.get(watch.job_id, watch.caller)
        seen = watch.after
        if seen is None:
            seen = job.event_sequence
            yield self._present(job)
            if job.state.terminal:
                return
        elif job.state.terminal and seen >= job.event_sequence:
            yield self._present(job)  # the watcher had seen it all; say the end again
            return
        last: Event | None = None
        request = video_pb2.CreateVideoRequest.FromString(job.body)
        queued = job.state is JobState.QUEUED
        for news in self._all_news(watch.job_id, seen, inbox):
            if isinstance(news, Expected):
                if queued:
                    yield _with_token(_waiting(watch.job_id, news), seen)
                continue
            for event in news.events:
                if event.state.terminal:
                    yield self._present(self._jobs.get(watch.job_id, watch.caller))
                    return
                if event.sequence <= seen:
                    continue
                seen = event.sequence
                queued = event.state is JobState.QUEUED
                if last is not None and _too_soon(event, last, watch.min_interval_s):
                    continue
                last = event
                eta_s = None
                if event is news.events[-1] and not queued:  # what is behind the present has none
                    eta_s = self._forecast.running_s(request, event.progress, event.time)
                progress = event_to_proto(event, news.cancel_requested, eta_s)
                yield _with_token(progress, event.sequence)

    def _all_news(self, job_id: str, seen: int, inbox: Inbox) -> Iterator[News | Expected]:
        """What was written before, then what the hub delivers, until the watcher leaves."""
        while written := self._jobs.news_of({job_id: seen}):
            yield _there(job_id, written[job_id])
            seen = written[job_id].events[-1].sequence
        while not isinstance(news := inbox.get(), _Left):
            if news is None:
                raise Unavailable("the gateway is shutting down; retry with the resume token")
            yield news if isinstance(news, Expected) else _there(job_id, news)

    def _present(self, job: Job) -> video_pb2.VideoProgress:
        video = self._videos.describe([job])[0]
        progress = video_pb2.VideoProgress(
            name=video.name, state=video.state, progress=video.progress
        )
        if job.state.terminal:
            progress.video.CopyFrom(video)
        return _with_token(progress, job.event_sequence)


class _Left:
    """The watcher has gone."""


_LEFT = _Left()
Inbox = queue.SimpleQueue[News | Expected | _Left | None]


def _waiting(job_id: str, expected: Expected) -> video_pb2.VideoProgress:
    """A new place in the queue: no event of the job, so its token stays that of the last one."""
    progress = progress_to_proto(
        None,
        JobState.QUEUED,
        time.time(),
        queue_position=expected.position,
        eta_s=expected.eta_s,
    )
    return video_pb2.VideoProgress(
        name=f"videos/{job_id}", state=video_pb2.VIDEO_STATE_QUEUED, progress=progress
    )


def _there(job_id: str, news: News) -> News:
    if news.gone:
        raise NotFound(f"video {job_id!r} was deleted")
    return news


def read_resume_token(token: str) -> int | None:
    """The number in a token; None for an empty one."""
    if not token:
        return None
    if not (token.isascii() and token.isdigit() and len(token) < 10):
        raise InvalidInput(
            "resume_token is not one that this service gave; leave it empty to begin anew",
            field="resume_token",
        )
    return int(token)


def _with_token(progress: video_pb2.VideoProgress, sequence: int) -> video_pb2.VideoProgress:
    progress.resume_token = str(sequence)
    return progress


def _too_soon(event: Event, last: Event, min_interval_s: float) -> bool:
    same_state = event.state is last.state and not event.message
    same_stage = (event.progress and event.progress.stage) == (
        last.progress and last.progress.stage
    )
    return same_state and same_stage and event.time - last.time < min_interval_s
